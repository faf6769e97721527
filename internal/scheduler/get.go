package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	protobuf "google.golang.org/protobuf/proto"

	"carillon/internal/bulkv1"
	"carillon/internal/job"
	"carillon/internal/limits"
	"carillon/internal/wire"
)

// GetJob implements [schedulerv1.SchedulerServer]. It also sends [wire.NextDueHeader], and
// [bulkv1.ExtHeader] if the job has an ext.
func (s *Service) GetJob(
	ctx context.Context, req *schedulerv1.GetJobRequest,
) (*schedulerv1.GetJobResponse, error) {
	k, err := s.key(req.GetName(), req.GetMetadata())
	if err != nil {
		return nil, err
	}
	spec, due, err := s.jobs.Get(ctx, k)
	if errors.Is(err, job.ErrNotFound) {
		return nil, fmt.Errorf("%w: %s", job.ErrNotFound, req.GetName())
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", k, err)
	}
	if !due.IsZero() {
		// The response is complete without it.
		_ = grpc.SetHeader(ctx, metadata.Pairs(wire.NextDueHeader, due.UTC().Format(time.RFC3339Nano)))
	}
	if spec.Ext != nil {
		if err := setExtHeader(ctx, spec.Ext); err != nil {
			return nil, err
		}
	}
	return &schedulerv1.GetJobResponse{Job: wire.Job(spec)}, nil
}

// setExtHeader adds an ext to the header of the response.
func setExtHeader(ctx context.Context, e *job.Ext) error {
	value, err := bulkv1.EncodeExt(e)
	if err == nil {
		err = grpc.SetHeader(ctx, metadata.Pairs(bulkv1.ExtHeader, value))
	}
	if err != nil {
		return fmt.Errorf("return the ext of a job: %w", err)
	}
	return nil
}

// get handles GetJob with handle. A large job acquires its bytes of the budget of lists until it is
// sent, because a client may request many and read none. If they are not free, it is refused at
// once.
func (s *Service) get(ctx context.Context, req any, handle grpc.UnaryHandler) (any, error) {
	if !acquireToken(ctx, s.gets) {
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
	answer := &encodedList{of: s.lists, bytes: len(piece), pieces: mem.BufferSlice{mem.NewBuffer(&piece, releasingPool{budget})}}
	if err != nil {
		answer.pieces.Free()
		return nil, err
	}
	return answer, nil
}
