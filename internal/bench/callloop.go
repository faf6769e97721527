package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// fewCallers is how many callers call beside busy apps.
	fewCallers = 8
	// retryAfter is how long they wait before they repeat a refused call.
	retryAfter = 10 * time.Millisecond
)

// The kinds of calls that are made beside busy apps.
const (
	callSchedule = iota
	callGet
	callDelete
	callKinds
)

// callTimes are the durations of calls until they were answered, retries included.
type callTimes struct {
	took     [callKinds][]time.Duration
	retries  int // refused calls that were repeated
	timedOut int // calls without an answer; their duration is the timeout
	count    Count
}

// callInLoops has a few callers of the app repeatedly schedule, get and delete a job, until the
// instant end. A call times out after [Sizes].Patience.
func (b *bench) callInLoops(ctx context.Context, t *measuredServer, app string, end time.Time) (callTimes, error) {
	var mu sync.Mutex
	var all callTimes
	var callers sync.WaitGroup
	for i := range fewCallers {
		callers.Go(func() {
			mine := b.callLoop(ctx, t.stubs[i%len(t.stubs)], t.request(app, oneShot(farFuture)), i, end)
			mu.Lock()
			defer mu.Unlock()
			all.add(mine)
		})
	}
	callers.Wait()
	if err := ctx.Err(); err != nil {
		return all, err
	}
	return all, nil
}

// countLeft counts the jobs of the app that are still stored, although each was deleted, and
// deletes them.
func (c *callTimes) countLeft(ctx context.Context, t *measuredServer, app string) error {
	var jobs []*schedulerv1.NamedJob
	err := retryUntilRecovered(ctx, func() (err error) {
		jobs, err = t.listJobs(ctx, app)
		return err
	})
	c.count.Unknown = max(len(jobs)-c.timedOut, 0)
	return errors.Join(err, retryUntilRecovered(ctx, func() error { return t.deleteJobs(ctx, app) }))
}

// callLoop is the loop of one caller.
func (b *bench) callLoop(
	ctx context.Context, on schedulerv1.SchedulerClient, r *schedulerv1.ScheduleJobRequest, caller int, end time.Time,
) (c callTimes) {
	r.Overwrite = true // a repeated call may already have succeeded
	for n := 0; time.Now().Before(end) && ctx.Err() == nil; n++ {
		r.Name = fmt.Sprintf("%d-%d", caller, n)
		acknowledged := b.timed(ctx, &c, callSchedule, func(ctx context.Context) error {
			_, err := on.ScheduleJob(ctx, r)
			return err
		})
		got := b.timed(ctx, &c, callGet, func(ctx context.Context) error {
			_, err := on.GetJob(ctx, &schedulerv1.GetJobRequest{Name: r.Name, Metadata: r.Metadata})
			return err
		})
		switch {
		case acknowledged != codes.OK: // the job may be stored or not
		case got == codes.OK:
			c.count.Want++
			c.count.Distinct++
		case got == codes.NotFound:
			c.count.Want++
			c.count.Lost++
		}
		b.timed(ctx, &c, callDelete, func(ctx context.Context) error {
			_, err := on.DeleteJob(ctx, &schedulerv1.DeleteJobRequest{Name: r.Name, Metadata: r.Metadata})
			return err
		})
	}
	return c
}

// timed repeats a call until it is answered, and records how long that took. It returns the code of
// the answer.
func (b *bench) timed(ctx context.Context, c *callTimes, kind int, call func(ctx context.Context) error) codes.Code {
	begin := time.Now()
	ctx, cancel := context.WithDeadline(ctx, begin.Add(b.cfg.Sizes.Patience))
	defer cancel()
	for {
		code := status.Code(call(ctx))
		switch code {
		case codes.OK, codes.NotFound:
		default:
			if until(ctx, time.Now().Add(retryAfter)) == nil {
				c.retries++
				continue
			}
			c.timedOut++
		}
		c.took[kind] = append(c.took[kind], time.Since(begin))
		return code
	}
}

func (c *callTimes) add(o callTimes) {
	for kind := range o.took {
		c.took[kind] = append(c.took[kind], o.took[kind]...)
	}
	c.retries += o.retries
	c.timedOut += o.timedOut
	c.count = c.count.plus(o.count)
}

// figures returns the distribution of each kind, and the greatest p99 of them in milliseconds.
func (c *callTimes) figures() (all []Figure, p99 float64) {
	for kind, name := range [callKinds]string{"schedule", "get", "delete"} {
		figures := spread(name, c.took[kind])
		all, p99 = append(all, figures...), max(p99, figures[1].Value)
	}
	return all, p99
}
