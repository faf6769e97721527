package scheduler

import (
	"context"
	"errors"
	"fmt"
	"iter"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/protobuf/encoding/protowire"
	protobuf "google.golang.org/protobuf/proto"

	"carillon/internal/bulkv1"
	"carillon/internal/job"
	"carillon/internal/wire"
)

// list handles ListJobs: it returns all jobs of an app, or all reminders of an actor or an actor
// type, in one message.
func (s *Service) list(ctx context.Context, req *schedulerv1.ListJobsRequest) (*encodedList, error) {
	p, err := wire.Prefix(req.GetMetadata())
	if err != nil {
		return nil, s.metrics.refused(err)
	}
	return s.encodeList(ctx, s.jobs.List(ctx, p), false, func(b []byte) []byte { return b })
}

// encodeList returns the response with these jobs, withExt also with the ext of each, and with the
// fields that end appends to it. A list that has outgrown its share begins again when it is its turn
// to grow.
func (s *Service) encodeList(
	ctx context.Context, jobs iter.Seq2[job.Item, error], withExt bool, end func([]byte) []byte,
) (*encodedList, error) {
	l, err := s.tryEncodeList(ctx, jobs, withExt, end, false)
	if errors.Is(err, errOutgrown) {
		return s.tryEncodeList(ctx, jobs, withExt, end, true)
	}
	return l, err
}

// tryEncodeList is encodeList, but returns errOutgrown if the list has outgrown its share and may
// not grow now. With grow it waits until it may, before it acquires memory.
func (s *Service) tryEncodeList(
	ctx context.Context, jobs iter.Seq2[job.Item, error], withExt bool, end func([]byte) []byte, grow bool,
) (_ *encodedList, err error) {
	l := &encodedList{of: s.lists}
	defer func() {
		l.finish()
		if err != nil {
			l.pieces.Free()
		}
	}()
	if grow {
		if err := l.grow(ctx); err != nil {
			return nil, err
		}
	}
	if err := l.acquire(ctx, l.of.share); err != nil {
		return nil, err
	}
	piece := make([]byte, 0, pieceBytes/16)
	var listing wire.Listing
	index := 0
	for item, err := range jobs {
		if err == nil {
			piece, err = appendItem(piece, listing.NamedJob(item))
		}
		if err == nil && withExt && item.Spec.Ext != nil {
			piece, err = appendExt(piece, index, item.Spec.Ext)
		}
		index++
		if err != nil {
			return nil, fmt.Errorf("list jobs: %w", err)
		}
		if len(piece) >= pieceBytes {
			if err := l.add(ctx, piece); err != nil {
				return nil, err
			}
			piece = make([]byte, 0, len(piece)+len(piece)/32) // the next one is about as long
		}
	}
	return l, l.add(ctx, end(piece))
}

// appendItem appends an entry of the jobs of a list: field 1 of ListJobsResponse and ListJobsPageResponse.
func appendItem(b []byte, m *schedulerv1.NamedJob) ([]byte, error) {
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(protobuf.Size(m)))
	return protobuf.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, m)
}

// appendExt appends the ext of the job with this index: an entry of field 3 of ListJobsPageResponse.
func appendExt(b []byte, index int, e *job.Ext) ([]byte, error) {
	encoded, err := bulkv1.EncodeExt(e)
	if err != nil {
		return nil, err
	}
	entry := protowire.AppendTag(nil, 1, protowire.VarintType)
	entry = protowire.AppendVarint(entry, uint64(index))
	entry = protowire.AppendTag(entry, 2, protowire.BytesType)
	entry = protowire.AppendString(entry, encoded)
	b = protowire.AppendTag(b, 3, protowire.BytesType)
	return protowire.AppendBytes(b, entry), nil
}
