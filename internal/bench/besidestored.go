package bench

import (
	"context"
	"errors"
	"time"
)

// besideStored measures scheduling and bursts on a server with stored jobs, in turns with an empty
// server.
func (b *bench) besideStored(ctx context.Context, t *measuredServer, what string) (results []RowResult, err error) {
	empty, err := b.emptyScheduler(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, empty.stop()) }()
	var total, acknowledged Count
	schedule := func(t *measuredServer) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			b.progress("schedule")
			app := b.newApp()
			l, err := b.scheduleFar(ctx, t, app)
			if err != nil {
				return 0, err
			}
			found, err := t.countJobs(ctx, app, l.total)
			if err != nil {
				return 0, err
			}
			acknowledged = acknowledged.plus(found)
			// Keep the number of stored jobs constant.
			return l.rate(), t.deleteJobs(ctx, app)
		}
	}
	burst := func(t *measuredServer) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			one, err := b.runBurst(ctx, t, b.cfg.Sizes.Beside)
			total = total.plus(one.count)
			return one.settled, err
		}
	}
	var schedules, bursts baselineRounds
	for begin := time.Now(); len(bursts.values) == 0 || time.Since(begin) < b.cfg.Sizes.Soak; {
		s, err := b.between(ctx, schedule(empty), schedule(t))
		if err != nil {
			return nil, err
		}
		schedules = schedules.plus(s)
		if s, err = b.between(ctx, burst(empty), burst(t)); err != nil {
			return nil, err
		}
		bursts = bursts.plus(s)
	}
	return []RowResult{
		schedules.result(RowResult{Row: 17, Measure: what + ": schedule", Unit: "/s", Threshold: atLeast(0.7, 0.9), Count: &acknowledged}, "empty"),
		bursts.result(RowResult{Row: 17, Measure: what + ": burst", Unit: "/s", Threshold: atLeast(0.7, 0.9), Count: &total}, "empty"),
	}, nil
}
