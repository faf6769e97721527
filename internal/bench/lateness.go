package bench

import (
	"context"
	"errors"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
)

// jobInterval is the time between the due instants of two jobs whose lateness is measured.
const jobInterval = 10 * time.Millisecond

// lateness schedules jobs that are due one every jobInterval, and returns the lateness of each. All
// are scheduled before the first is due.
func (b *bench) lateness(ctx context.Context, t *measuredServer) ([]time.Duration, Count, error) {
	b.progress("scheduling")
	n := int(b.cfg.Sizes.Idle / jobInterval)
	lead, err := b.leadTime(ctx, t, n)
	if err != nil {
		return nil, Count{}, err
	}
	var late []time.Duration
	var count Count
	err = inTime(lead, func(lead time.Duration) error {
		late, count, err = b.latenessIn(ctx, t, n, lead)
		return err
	})
	return late, count, err
}

// latenessIn is lateness of n jobs, of which the first is due after the lead time.
func (b *bench) latenessIn(ctx context.Context, t *measuredServer, n int, lead time.Duration) ([]time.Duration, Count, error) {
	begin := time.Now().Add(lead)
	p := atInterval(n, begin)
	app, l := b.newApp(), newLedger(n)
	err := b.receive(ctx, t, app, l, func(ctx context.Context) error {
		err := b.fillWith(ctx, t, app, 0, n, func(r *schedulerv1.ScheduleJobRequest, i int) {
			r.Job.DueTime = new(instant(p.due(i, 0)))
		})
		if err == nil && time.Now().After(begin) {
			err = errors.Join(errTooSlow, t.deleteJobs(ctx, app))
		}
		if err != nil {
			return err
		}
		b.progress("waiting for each to be due")
		if err := until(ctx, begin.Add(b.cfg.Sizes.Idle)); err != nil {
			return err
		}
		if err := l.wait(ctx, time.Now(), b.cfg.Sizes.Patience); err != nil {
			return err
		}
		return until(ctx, time.Now().Add(b.cfg.Sizes.Linger))
	})
	return l.lateness(p), l.count(p), err
}

// atInterval returns the expectation of n jobs, one every jobInterval from begin on.
func atInterval(n int, begin time.Time) expectation {
	return expectation{jobs: n, times: 1, due: func(job, _ int) time.Time {
		// The jitter keeps due instants from aligning with a ticker.
		jitter := time.Duration(job*7919%1000) * jobInterval / 1000
		return begin.Add(time.Duration(job)*jobInterval + jitter).Truncate(time.Microsecond)
	}}
}
