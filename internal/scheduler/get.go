package scheduler

import (
	"context"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	protobuf "google.golang.org/protobuf/proto"

	"carillon/internal/limits"
)

// maxGets is how many jobs are read for callers at a time. A job may have 2 MiB, however short the question is, and takes as much
// again when it is encoded.
const maxGets = 16

// get answers GetJob by handle. A large job takes its bytes of the memory for lists until it has been sent, since a client
// may ask for many and read none. Where there is no room it is refused at once.
func (s *Service) get(ctx context.Context, req any, handle grpc.UnaryHandler) (any, error) {
	if !enter(ctx, s.gets) {
		return nil, ctx.Err()
	}
	defer func() { <-s.gets }()
	resp, err := handle(ctx, req)
	m, ok := resp.(*schedulerv1.GetJobResponse)
	if err != nil || !ok || protobuf.Size(m) <= limits.SmallMessage {
		return resp, err
	}
	piece := make([]byte, 0, protobuf.Size(m))
	budget := s.lists.budget
	if !budget.TryAcquire(int64(cap(piece))) {
		return nil, status.Errorf(codes.ResourceExhausted,
			"get a job of %d bytes: the memory for lists and large jobs, %d bytes, is in use: try again later", cap(piece), budget.Max())
	}
	piece, err = protobuf.MarshalOptions{UseCachedSize: true}.MarshalAppend(piece, m)
	answer := &encodedList{of: s.lists, bytes: len(piece), pieces: mem.BufferSlice{mem.NewBuffer(&piece, sent{budget})}}
	if err != nil {
		answer.pieces.Free()
		return nil, err
	}
	return answer, nil
}
