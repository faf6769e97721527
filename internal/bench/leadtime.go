package bench

import (
	"context"
	"errors"
	"time"
)

// errTooSlow means that jobs were due before all of them were scheduled: their lateness cannot be
// measured.
var errTooSlow = errors.New("scheduling took longer than a trial predicted, three times; close other programs, or use --quick")

// inTime calls f with a lead time. While that is too short, it doubles the lead time, up to three
// calls.
func inTime(lead time.Duration, f func(lead time.Duration) error) error {
	err := f(lead)
	for tries := 1; tries < 3 && errors.Is(err, errTooSlow); tries++ {
		lead *= 2
		err = f(lead)
	}
	return err
}

// margin is added to the estimate of a lead time.
func margin(s Sizes) time.Duration { return min(2*s.Linger, time.Second) }

// leadTime estimates how long before their due instant scheduling n jobs must begin. It schedules
// some jobs to find out.
func (b *bench) leadTime(ctx context.Context, t *measuredServer, n int) (time.Duration, error) {
	app, trial := b.newApp(), max(n/20, 1)
	begin := time.Now()
	if err := b.fill(ctx, t, app, farFuture, trial); err != nil {
		return 0, err
	}
	each := time.Since(begin) / time.Duration(trial)
	return margin(b.cfg.Sizes) + each*time.Duration(n)*3/2, t.deleteJobs(ctx, app)
}
