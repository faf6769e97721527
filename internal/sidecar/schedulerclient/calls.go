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

// Schedule stores one job. Jobs of concurrent calls share calls to the scheduler: see combiner.
func (c *Client) Schedule(ctx context.Context, r *schedulerv1.ScheduleJobRequest) error {
	return c.call(ctx, func(ctx context.Context, h *host) error {
		if !h.mayHaveBulk() {
			return h.scheduleOne(ctx, r)
		}
		return h.combiner.schedule(ctx, r)
	})
}

// ScheduleAll stores jobs of one target, and returns the error of each. Jobs with the same name are
// stored in their order.
func (c *Client) ScheduleAll(ctx context.Context, all []*schedulerv1.ScheduleJobRequest) []error {
	errs := make([]error, len(all))
	pending := make([]int, len(all)) // indexes into all
	for i := range pending {
		pending[i] = i
	}
	requests := all
	err := c.call(ctx, func(ctx context.Context, h *host) error {
		var canceled error
		var unsent []int
		for i, err := range h.scheduleAll(ctx, requests) {
			errs[pending[i]] = err
			if status.Code(err) == codes.Canceled {
				unsent, canceled = append(unsent, pending[i]), err
			}
		}
		pending, requests = unsent, requests[:0:0]
		for _, i := range pending {
			requests = append(requests, all[i])
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

// GetJob returns a job, and the scheduler's [wire.NextDueHeader]; it is empty if there is none.
func (c *Client) GetJob(
	ctx context.Context, r *schedulerv1.GetJobRequest,
) (res *schedulerv1.GetJobResponse, nextDue string, err error) {
	var header metadata.MD
	err = c.call(ctx, func(ctx context.Context, h *host) (err error) {
		res, err = h.GetJob(ctx, r, grpc.WaitForReady(true), grpc.Header(&header))
		return err
	})
	if values := header.Get(wire.NextDueHeader); len(values) == 1 {
		nextDue = values[0]
	}
	return res, nextDue, err
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
