package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"carillon/internal/bulkv1"
	"carillon/internal/job"
	"carillon/internal/pagetoken"
	"carillon/internal/wire"
)

const (
	defaultPageSize = 100
	maxPageSize     = 1000
)

// listPage handles ListJobsPage of carillon.v1.Bulk: it returns a page of what list returns.
func (s *Service) listPage(ctx context.Context, req *bulkv1.ListJobsPageRequest) (*encodedList, error) {
	p, err := wire.NamePrefix(&schedulerv1.DeleteByNamePrefixRequest{
		Metadata: req.GetMetadata(), NamePrefix: req.GetNamePrefix(),
	})
	if err != nil {
		return nil, s.metrics.refused(err)
	}
	if size := req.GetPageSize(); size > maxPageSize {
		return nil, status.Errorf(codes.InvalidArgument, "page_size is %d: give 1 to %d, or 0 for %d", size, maxPageSize, defaultPageSize)
	}
	list := fmt.Sprintf("%d %q %q %q", p.Kind, p.Namespace, p.Parts, p.Rest)
	position, err := pagetoken.Decode(req.GetPageToken(), list) // used within p alone: a forged one shows no other jobs
	switch {
	case errors.Is(err, pagetoken.ErrOtherList):
		return nil, status.Errorf(codes.InvalidArgument,
			"the page token %.100q is of a list of another app or name prefix: all pages of a list need the same ones", req.GetPageToken())
	case err != nil:
		return nil, status.Errorf(codes.InvalidArgument,
			"the page token %.100q is malformed: give the one of the page before, or none for the first page", req.GetPageToken())
	}
	size := int(cmp.Or(req.GetPageSize(), defaultPageSize))
	var next []byte
	jobs := func(yield func(job.Item, error) bool) {
		var items []job.Item
		if items, next, err = s.jobs.ListPage(ctx, p, position, size); err != nil {
			yield(job.Item{}, err)
		}
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
	}
	return s.encodeList(ctx, jobs, true, func(b []byte) []byte {
		if next == nil {
			return b
		}
		b = protowire.AppendTag(b, 2, protowire.BytesType) // next_page_token
		return protowire.AppendString(b, pagetoken.Encode(next, list))
	})
}
