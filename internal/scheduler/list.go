package scheduler

import (
	"context"
	"fmt"
	"math"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	protobuf "google.golang.org/protobuf/proto"

	"carillon/internal/wire"
)

// An encodedList is a ListJobsResponse in its encoding, piece by piece. A list may be large: as messages, which are then
// encoded as a whole, it would be in memory twice, and the messages are several times the size.
type encodedList struct {
	pieces mem.BufferSlice
	bytes  int
}

// pieceBytes is when a piece is full.
const pieceBytes = 256 << 10

// maxLists is how many lists are put together at a time; the next callers wait.
const maxLists = 4

// list answers ListJobs: all jobs of an app, or all reminders of an actor or an actor type, in one message.
func (s *Service) list(ctx context.Context, req *schedulerv1.ListJobsRequest) (*encodedList, error) {
	p, err := wire.Prefix(req.GetMetadata())
	if err != nil {
		return nil, s.metrics.refused(err)
	}
	select {
	case s.lists <- struct{}{}:
		defer func() { <-s.lists }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l := new(encodedList)
	var piece []byte
	var listing wire.Listing
	for item, err := range s.jobs.List(ctx, p) {
		if err == nil {
			piece, err = appendItem(piece, listing.NamedJob(item))
		}
		if err != nil {
			return nil, fmt.Errorf("list jobs: %w", err)
		}
		if len(piece) >= pieceBytes {
			if err := l.add(piece); err != nil {
				return nil, err
			}
			piece = make([]byte, 0, len(piece)+len(piece)/8)
		}
	}
	return l, l.add(piece)
}

// appendItem appends an entry of ListJobsResponse.jobs, field 1.
func appendItem(b []byte, m *schedulerv1.NamedJob) ([]byte, error) {
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(protobuf.Size(m)))
	return protobuf.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, m)
}

// add appends a piece, unless that would make more than a message may have.
func (l *encodedList) add(piece []byte) error {
	if l.bytes += len(piece); l.bytes > math.MaxInt32 {
		return status.Errorf(codes.ResourceExhausted, "the jobs take more than the %d bytes of one message: list fewer", math.MaxInt32)
	}
	l.pieces = append(l.pieces, mem.SliceBuffer(piece))
	return nil
}
