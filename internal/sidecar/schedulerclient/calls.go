package schedulerclient

import (
	"context"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"carillon/internal/bulkv1"
	"carillon/internal/wire"
)

// Schedule stores one job, with its ext if that is not nil. Jobs of concurrent calls share calls to
// the scheduler, unless they have an ext: see combiner.
func (c *Client) Schedule(ctx context.Context, r *schedulerv1.ScheduleJobRequest, ext *bulkv1.JobExt) error {
	if ext != nil {
		return c.ScheduleAll(ctx, []*schedulerv1.ScheduleJobRequest{r}, []*bulkv1.JobExt{ext})[0]
	}
	return c.call(ctx, func(ctx context.Context, h *host) error {
		if !h.mayHaveBulk() {
			return h.scheduleOne(ctx, r)
		}
		return h.combiner.schedule(ctx, r)
	})
}

// ScheduleAll stores jobs of one target, and returns the error of each: [wire.NoExtError] if the
// scheduler does not store its ext. exts has the ext of each, or is nil if none has one. Jobs with
// the same name are stored in their order.
func (c *Client) ScheduleAll(
	ctx context.Context, all []*schedulerv1.ScheduleJobRequest, exts []*bulkv1.JobExt,
) []error {
	errs := make([]error, len(all))
	pending := make([]int, len(all)) // indexes into all
	for i := range pending {
		pending[i] = i
	}
	requests, extsOf := all, exts
	err := c.call(ctx, func(ctx context.Context, h *host) error {
		var canceled error
		var unsent []int
		for i, err := range h.scheduleAll(ctx, requests, extsOf) {
			errs[pending[i]] = err
			if status.Code(err) == codes.Canceled {
				unsent, canceled = append(unsent, pending[i]), err
			}
		}
		pending, requests = unsent, pick(all, unsent)
		if exts != nil {
			extsOf = pick(exts, unsent)
		}
		return canceled
	})
	if err != nil {
		for _, i := range pending {
			errs[i] = err
		}
	}
	return errs
}

// A FoundJob is a job as a scheduler returned it.
type FoundJob struct {
	Job     *schedulerv1.Job
	Ext     *bulkv1.JobExt // nil if it has none
	NextDue string         // the scheduler's [wire.NextDueHeader]; empty if there is none
}

// GetJob returns a job.
func (c *Client) GetJob(ctx context.Context, r *schedulerv1.GetJobRequest) (found FoundJob, err error) {
	var header metadata.MD
	var res *schedulerv1.GetJobResponse
	err = c.call(ctx, func(ctx context.Context, h *host) (err error) {
		res, err = h.GetJob(ctx, r, grpc.WaitForReady(true), grpc.Header(&header))
		return err
	})
	if err != nil {
		return FoundJob{}, err
	}
	found.Job = res.GetJob()
	if values := header.Get(wire.NextDueHeader); len(values) == 1 {
		found.NextDue = values[0]
	}
	if values := header.Get(bulkv1.ExtHeader); len(values) == 1 {
		if found.Ext, err = bulkv1.DecodeExt(values[0]); err != nil {
			return FoundJob{}, err
		}
	}
	return found, nil
}

// ListJobs lists jobs. A response of more than maxBytes is an error.
func (c *Client) ListJobs(
	ctx context.Context, r *schedulerv1.ListJobsRequest, maxBytes int,
) (res *schedulerv1.ListJobsResponse, err error) {
	err = c.call(ctx, func(ctx context.Context, h *host) (err error) {
		res, err = h.ListJobs(ctx, r, grpc.WaitForReady(true), grpc.MaxCallRecvMsgSize(maxBytes))
		return err
	})
	return res, err
}

// ListPage returns a page of a list. A response of more than maxBytes is an error. The code of the
// error is Unimplemented if the scheduler is Dapr's.
func (c *Client) ListPage(
	ctx context.Context, r *bulkv1.ListJobsPageRequest, maxBytes int,
) (res *bulkv1.ListJobsPageResponse, err error) {
	err = c.call(ctx, func(ctx context.Context, h *host) (err error) {
		res, err = h.bulk.ListJobsPage(ctx, r, grpc.WaitForReady(true), grpc.MaxCallRecvMsgSize(maxBytes))
		return err
	})
	return res, err
}

// DeleteJob deletes a job. It succeeds if there is no such job.
func (c *Client) DeleteJob(ctx context.Context, r *schedulerv1.DeleteJobRequest) error {
	return c.call(ctx, func(ctx context.Context, h *host) error {
		_, err := h.DeleteJob(ctx, r, grpc.WaitForReady(true))
		return err
	})
}

// DeleteByNamePrefix deletes the jobs whose names have the prefix.
func (c *Client) DeleteByNamePrefix(
	ctx context.Context, r *schedulerv1.DeleteByNamePrefixRequest,
) error {
	return c.call(ctx, func(ctx context.Context, h *host) error {
		_, err := h.DeleteByNamePrefix(ctx, r, grpc.WaitForReady(true))
		return err
	})
}
