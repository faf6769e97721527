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
	// fewCallers call beside an overload.
	fewCallers = 8
	// retryAfter is how long they wait before they make a call again that was refused.
	retryAfter = 10 * time.Millisecond
)

// The kinds of calls that are made beside an overload.
const (
	callSchedule = iota
	callGet
	callDelete
	callKinds
)

// callTimes are how long calls took until they were answered, those among it that were made again.
type callTimes struct {
	took       [callKinds][]time.Duration
	again      int // calls that were refused, and made again
	unanswered int // calls that were given up; they count as long as they were waited for
	count      Count
}

// callInTurn has a few callers of the app schedule a job, get it and delete it, again and again until the instant end.
// A call is given up after the patience of the sizes.
func (b *bench) callInTurn(ctx context.Context, t *target, app string, end time.Time) (callTimes, error) {
	var mu sync.Mutex
	var all callTimes
	var callers sync.WaitGroup
	for i := range fewCallers {
		callers.Go(func() {
			mine := b.callAlone(ctx, t.on[i%len(t.on)], t.request(app, oneShot(far)), i, end)
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

// countLeft notes the jobs of the callers' app that are stored in the end, although each was deleted, and deletes them.
func (c *callTimes) countLeft(ctx context.Context, t *target, app string) error {
	var jobs []*schedulerv1.NamedJob
	err := patiently(ctx, func() (err error) {
		jobs, err = t.list(ctx, app)
		return err
	})
	c.count.Unknown = max(len(jobs)-c.unanswered, 0)
	return errors.Join(err, patiently(ctx, func() error { return t.forget(ctx, app) }))
}

// callAlone is one of the callers.
func (b *bench) callAlone(
	ctx context.Context, on schedulerv1.SchedulerClient, r *schedulerv1.ScheduleJobRequest, caller int, end time.Time,
) (c callTimes) {
	r.Overwrite = true // a call that is made again may have been carried out
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
		case acknowledged != codes.OK: // it may be there or not
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

// timed makes a call until it is answered, and notes how long that took. It returns the code of the answer.
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
				c.again++
				continue
			}
			c.unanswered++
		}
		c.took[kind] = append(c.took[kind], time.Since(begin))
		return code
	}
}

func (c *callTimes) add(o callTimes) {
	for kind := range o.took {
		c.took[kind] = append(c.took[kind], o.took[kind]...)
	}
	c.again += o.again
	c.unanswered += o.unanswered
	c.count = c.count.plus(o.count)
}

// figures returns the spread of each kind, and the greatest p99 of them, in milliseconds.
func (c *callTimes) figures() (all []Figure, p99 float64) {
	for kind, name := range [callKinds]string{"schedule", "get", "delete"} {
		figures := spread(name, c.took[kind])
		all, p99 = append(all, figures...), max(p99, figures[1].Value)
	}
	return all, p99
}
