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
	"carillon/internal/wire"
)

// Limits of a call that stores many jobs.
const (
	maxBulkJobs  = 1000
	maxBulkBytes = 4<<20 - 64 // of all jobs
)

// maxParallelCalls is how many calls at once store jobs one by one.
const maxParallelCalls = 16

// newCombiningHost returns a host whose combiner sends its calls to it.
func newCombiningHost(address string, conn *grpc.ClientConn) *host {
	h := newHost(address, conn)
	h.combiner.alone = h.scheduleOne
	h.combiner.together = func(ctx context.Context, all []*schedulerv1.ScheduleJobRequest) []error {
		return h.scheduleAll(ctx, all, nil)
	}
	return h
}

// scheduleAll stores jobs, many in a call if the scheduler can do that, and returns their errors.
// Jobs with the same name are stored in order. exts has the ext of each, or is nil if none has one.
func (h *host) scheduleAll(
	ctx context.Context, all []*schedulerv1.ScheduleJobRequest, exts []*bulkv1.JobExt,
) []error {
	if exts == nil && !h.mayHaveBulk() {
		return h.scheduleEach(ctx, all)
	}
	errs := make([]error, len(all))
	for first := 0; first < len(all); {
		n, bytes := 0, 0
		for n < min(len(all)-first, maxBulkJobs) {
			const frame = 8 // of a job in the message, and of its ext
			bytes += proto.Size(all[first+n]) + frame
			if exts != nil {
				bytes += proto.Size(exts[first+n]) + frame
			}
			if bytes > maxBulkBytes && n > 0 {
				break
			}
			n++
		}
		jobs := all[first : first+n]
		var err error
		if exts != nil {
			err = h.scheduleBulkWithExt(ctx, jobs, exts[first:first+n], errs[first:first+n])
		} else {
			err = h.scheduleBulk(ctx, jobs, errs[first:first+n])
		}
		switch code := status.Code(err); {
		case code == codes.OK:
		case code == codes.Unimplemented && exts != nil: // a scheduler of Dapr, or an older one of ours
			return append(errs[:first], h.scheduleWithoutExt(ctx, all[first:], exts[first:])...)
		case code == codes.Unimplemented: // a scheduler of Dapr, which one of ours may replace
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
	return setRefusals(answer, jobs, errs)
}

// scheduleBulkWithExt stores jobs with their ext by one call, and sets their errors.
func (h *host) scheduleBulkWithExt(
	ctx context.Context, jobs []*schedulerv1.ScheduleJobRequest, exts []*bulkv1.JobExt, errs []error,
) error {
	request := &bulkv1.ScheduleJobsWithExtRequest{Jobs: make([]*bulkv1.JobWithExt, len(jobs))}
	for i, j := range jobs {
		request.Jobs[i] = &bulkv1.JobWithExt{Job: j, Ext: exts[i]}
	}
	answer, err := h.bulk.ScheduleJobsWithExt(ctx, request, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	return setRefusals(answer, jobs, errs)
}

// scheduleWithoutExt stores those jobs that have no ext, and returns the errors of all. The
// scheduler cannot store the others.
func (h *host) scheduleWithoutExt(
	ctx context.Context, all []*schedulerv1.ScheduleJobRequest, exts []*bulkv1.JobExt,
) []error {
	errs := make([]error, len(all))
	var plain []int
	for i := range all {
		if exts[i] != nil {
			errs[i] = wire.NoExtError{}
		} else {
			plain = append(plain, i)
		}
	}
	if len(plain) > 0 {
		for n, err := range h.scheduleAll(ctx, pick(all, plain), nil) {
			errs[plain[n]] = err
		}
	}
	return errs
}

// setRefusals sets the errors of the jobs of a call that its answer names.
func setRefusals(answer *bulkv1.ScheduleJobsResponse, jobs []*schedulerv1.ScheduleJobRequest, errs []error) error {
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

// pick returns those of all with these indices.
func pick[T any](all []T, indices []int) []T {
	some := make([]T, len(indices))
	for n, i := range indices {
		some[n] = all[i]
	}
	return some
}
