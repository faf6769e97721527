package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
)

// burstResult is the result of a burst: jobs that are due at one instant.
type burstResult struct {
	delivered, settled float64 // per second since the due instant
	cost               float64 // processor time of the server per job, in microseconds
	late               []time.Duration
	count              Count
}

// add adds another result to b. The lowest rate counts.
func (b *burstResult) add(o burstResult) {
	if b.delivered == 0 || o.delivered < b.delivered {
		b.delivered = o.delivered
	}
	b.late = append(b.late, o.late...)
	b.count = b.count.plus(o.count)
}

// runBurst schedules a burst of n jobs, receives it, and waits until none of its jobs is stored.
func (b *bench) runBurst(ctx context.Context, t *measuredServer, n int) (burstResult, error) {
	b.progress("scheduling a burst")
	lead, err := b.leadTime(ctx, t, n)
	if err != nil {
		return burstResult{}, err
	}
	var result burstResult
	err = inTime(lead, func(lead time.Duration) error {
		result, err = b.runBurstAfter(ctx, t, n, lead)
		return err
	})
	return result, err
}

// runBurstAfter is runBurst with jobs that are due after the lead time.
func (b *bench) runBurstAfter(ctx context.Context, t *measuredServer, n int, lead time.Duration) (burstResult, error) {
	app := b.newApp()
	due := time.Now().Add(lead).Truncate(time.Millisecond)
	l := newLedger(n)
	var result burstResult
	err := b.receive(ctx, t, app, l, func(ctx context.Context) error {
		err := b.fill(ctx, t, app, instant(due), n)
		if err == nil && time.Now().After(due) {
			err = errors.Join(errTooSlow, t.deleteJobs(ctx, app))
		}
		if err != nil {
			return err
		}
		result, err = b.receiveBurst(ctx, t, app, due, l)
		return err
	})
	return result, err
}

// receiveBurst receives a burst that is due at that instant, and returns its result.
func (b *bench) receiveBurst(ctx context.Context, t *measuredServer, app string, due time.Time, l *ledger) (burstResult, error) {
	b.progress("waiting for the burst")
	if err := until(ctx, due); err != nil {
		return burstResult{}, err
	}
	used := t.process.cpu()
	if err := l.wait(ctx, due, b.cfg.Sizes.Patience); err != nil {
		return burstResult{}, err
	}
	got, last := l.last()
	settled, err := b.waitSettled(ctx, t, app, l.latest())
	if err != nil {
		return burstResult{}, err
	}
	used = t.process.cpu() - used
	if err := until(ctx, time.Now().Add(b.cfg.Sizes.Linger)); err != nil {
		return burstResult{}, err
	}
	p := expectation{jobs: l.want, times: 1, due: func(int, int) time.Time { return due }}
	return burstResult{
		delivered: float64(got) / last.Sub(due).Seconds(),
		settled:   float64(got) / settled.Sub(due).Seconds(),
		cost:      in(time.Microsecond, used) / float64(max(got, 1)),
		late:      l.lateness(p),
		count:     l.count(p),
	}, nil
}

// waitSettled waits until no job of the app is stored, for [Sizes].Patience at most, and returns
// that instant. It gets the job that was delivered last before it lists all jobs: repeated lists
// would load the server.
func (b *bench) waitSettled(ctx context.Context, t *measuredServer, app, last string) (time.Time, error) {
	begin := time.Now()
	for {
		left := 1
		stored, err := t.hasJob(ctx, app, last)
		if err == nil && !stored {
			var jobs []*schedulerv1.NamedJob
			jobs, err = t.listJobs(ctx, app)
			left = len(jobs)
		}
		now := time.Now()
		if err != nil || left == 0 {
			return now, err
		}
		if now.Sub(begin) > b.cfg.Sizes.Patience {
			return now, fmt.Errorf("at least %d jobs are still stored %v after the last delivery", left, b.cfg.Sizes.Patience)
		}
		if err := until(ctx, now.Add(time.Millisecond)); err != nil {
			return now, err
		}
	}
}
