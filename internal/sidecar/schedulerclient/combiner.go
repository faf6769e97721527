package schedulerclient

import (
	"context"
	"slices"
	"sync"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	// maxSeparateCalls is how many calls are in flight before jobs share calls.
	maxSeparateCalls = 4
	// maxSharedJob is how many bytes a job may have to share a call.
	maxSharedJob = 16 << 10
	// maxSharingWait is how long a job waits for a shared call. It is longer than a call takes: a call
	// that stalls delays only the jobs in it.
	maxSharingWait = 20 * time.Millisecond
)

// A combiner lets jobs that are scheduled at the same time share calls, because a call costs the
// processors far more than a job in it. While maxSeparateCalls are in flight, further jobs wait, and
// go together when one of these ends. A job that waits longer than maxSharingWait goes alone, and so
// does one of more than maxSharedJob bytes. It is safe for concurrent use.
type combiner struct {
	// alone schedules a job by a call of its own.
	alone func(context.Context, *schedulerv1.ScheduleJobRequest) error
	// together schedules jobs by one call, and returns their errors.
	together func(context.Context, []*schedulerv1.ScheduleJobRequest) []error

	mu       sync.Mutex // guards the fields below
	inFlight int        // calls, except those of jobs that have waited too long or are large
	waiting  []*waitingJob
}

// A waitingJob waits for a shared call.
type waitingJob struct {
	ctx     context.Context //nolint:containedctx // of the caller, who waits for done
	request *schedulerv1.ScheduleJobRequest
	done    chan error // of capacity 1
}

// schedule stores a job. If ctx ends first, the job may be stored or not.
func (c *combiner) schedule(ctx context.Context, r *schedulerv1.ScheduleJobRequest) error {
	if proto.Size(r) > maxSharedJob {
		return c.alone(ctx, r)
	}
	c.mu.Lock()
	if c.inFlight < maxSeparateCalls {
		c.inFlight++
		c.mu.Unlock()
		defer c.end() //nolint:contextcheck // the jobs that go next have callers of their own
		return c.alone(ctx, r)
	}
	w := &waitingJob{ctx, r, make(chan error, 1)}
	c.waiting = append(c.waiting, w)
	c.mu.Unlock()
	return c.wait(w)
}

// wait waits for a shared call with the job, and sends it alone if there is none soon.
func (c *combiner) wait(w *waitingJob) error {
	timer := time.NewTimer(maxSharingWait)
	defer timer.Stop()
	select {
	case err := <-w.done:
		return err
	case <-w.ctx.Done():
		return status.FromContextError(w.ctx.Err()).Err()
	case <-timer.C:
	}
	if c.withdraw(w) {
		return c.alone(w.ctx, w.request)
	}
	select {
	case err := <-w.done:
		return err
	case <-w.ctx.Done():
		return status.FromContextError(w.ctx.Err()).Err()
	}
}

// withdraw reports whether the job still waits, and removes it.
func (c *combiner) withdraw(w *waitingJob) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.waiting, w)
	if i < 0 {
		return false
	}
	c.waiting = slices.Delete(c.waiting, i, i+1)
	return true
}

// end ends a call in flight, and begins one with the jobs that wait.
func (c *combiner) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	jobs := slices.DeleteFunc(c.waiting, func(w *waitingJob) bool { return w.ctx.Err() != nil })
	c.waiting = nil
	if len(jobs) == 0 {
		c.inFlight--
		return
	}
	go c.share(jobs)
}

// share stores jobs by one call, and tells their callers.
func (c *combiner) share(jobs []*waitingJob) {
	defer c.end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(jobs[0].ctx), CallTimeout)
	defer cancel()
	requests := make([]*schedulerv1.ScheduleJobRequest, len(jobs))
	for i, w := range jobs {
		requests[i] = w.request
	}
	for i, err := range c.together(ctx, requests) {
		jobs[i].done <- err
	}
}
