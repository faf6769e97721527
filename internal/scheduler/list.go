package scheduler

import (
	"context"
	"fmt"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/protobuf/encoding/protowire"
	protobuf "google.golang.org/protobuf/proto"

	"carillon/internal/wire"
)

// list handles ListJobs: it returns all jobs of an app, or all reminders of an actor or an actor
// type, in one message.
func (s *Service) list(ctx context.Context, req *schedulerv1.ListJobsRequest) (_ *encodedList, err error) {
	p, err := wire.Prefix(req.GetMetadata())
	if err != nil {
		return nil, s.metrics.refused(err)
	}
	l := &encodedList{of: s.lists}
	defer func() {
		l.finish()
		if err != nil {
			l.pieces.Free()
		}
	}()
	if err := l.acquire(ctx, l.of.share); err != nil {
		return nil, err
	}
	piece := make([]byte, 0, pieceBytes/16)
	var listing wire.Listing
	for item, err := range s.jobs.List(ctx, p) {
		if err == nil {
			piece, err = appendItem(piece, listing.NamedJob(item))
		}
		if err != nil {
			return nil, fmt.Errorf("list jobs: %w", err)
		}
		if len(piece) >= pieceBytes {
			if err := l.add(ctx, piece); err != nil {
				return nil, err
			}
			piece = make([]byte, 0, len(piece)+len(piece)/8)
		}
	}
	return l, l.add(ctx, piece)
}

// appendItem appends an entry of ListJobsResponse.jobs, field 1.
func appendItem(b []byte, m *schedulerv1.NamedJob) ([]byte, error) {
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(protobuf.Size(m)))
	return protobuf.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, m)
}
