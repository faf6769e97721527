package schedulerclient

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"carillon/internal/bulkv1"
)

// Limits of a call that stores many jobs.
const (
	maxBulkJobs  = 1000
	maxBulkBytes = 4<<20 - 64 // of all jobs
)

// maxParallelCalls is how many calls at once store jobs one by one.
const maxParallelCalls = 16

// scheduleAll stores jobs, many in a call if the scheduler can do that, and returns their errors.
// Jobs with the same name are stored in order.
func (h *host) scheduleAll(ctx context.Context, all []*schedulerv1.ScheduleJobRequest) []error {
	if !h.mayHaveBulk() {
		return h.scheduleEach(ctx, all)
	}
	errs := make([]error, len(all))
	for first := 0; first < len(all); {
		n, bytes := 0, 0
		for n < min(len(all)-first, maxBulkJobs) {
			const frame = 8 // of a job in the message
			if bytes += proto.Size(all[first+n]) + frame; bytes > maxBulkBytes && n > 0 {
				break
			}
			n++
		}
		jobs := all[first : first+n]
		err := h.scheduleBulk(ctx, jobs, errs[first:first+n])
		switch status.Code(err) {
		case codes.OK:
		case codes.Unimplemented: // a scheduler of Dapr, which one of ours may replace
			h.noBulkUntil.Store(new(time.Now().Add(time.Minute)))
			return append(errs[:first], h.scheduleEach(ctx, all[first:])...)
		default:
			for i := range jobs {
				errs[first+i] = err
			}
		}
		first += n
	}
	return errs
}

// mayHaveBulk reports whether the scheduler has the bulk service, as far as is known.
func (h *host) mayHaveBulk() bool {
	until := h.noBulkUntil.Load()
	return until == nil || !time.Now().Before(*until)
}

// scheduleBulk stores jobs by one call, and sets their errors.
func (h *host) scheduleBulk(ctx context.Context, jobs []*schedulerv1.ScheduleJobRequest, errs []error) error {
	answer, err := h.bulk.ScheduleJobs(ctx, &bulkv1.ScheduleJobsRequest{Jobs: jobs}, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	next := 0
	for _, r := range answer.GetRefused() {
		i := int(r.GetIndex())
		if i < next || i >= len(jobs) {
			return status.Errorf(codes.Internal, "the scheduler refused job %d of a call with %d jobs", i, len(jobs))
		}
		errs[i], next = status.Error(codes.Code(r.GetCode()), r.GetMessage()), i+1
	}
	return nil
}

// scheduleEach stores each job by a call of its own.
func (h *host) scheduleEach(ctx context.Context, all []*schedulerv1.ScheduleJobRequest) []error {
	errs := make([]error, len(all))
	seed := maphash.MakeSeed()
	var callers sync.WaitGroup
	for caller := range uint64(maxParallelCalls) {
		callers.Go(func() {
			for i, r := range all {
				if maphash.String(seed, r.GetName())%maxParallelCalls == caller {
					errs[i] = h.scheduleOne(ctx, r)
				}
			}
		})
	}
	callers.Wait()
	return errs
}

// scheduleOne stores a job by a call of its own.
func (h *host) scheduleOne(ctx context.Context, r *schedulerv1.ScheduleJobRequest) error {
	_, err := h.ScheduleJob(ctx, r, grpc.WaitForReady(true))
	return err
}
