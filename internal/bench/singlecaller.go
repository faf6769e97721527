package bench

import (
	"context"
	"fmt"
	"time"
)

// singleCaller measures how long a single caller waits for an acknowledgement: row 3.
func (b *bench) singleCaller(ctx context.Context) ([]RowResult, error) {
	return b.withScheduler(ctx, func(t *measuredServer) ([]RowResult, error) {
		echo, err := b.dialBaseline(ctx, BaselineEcho)
		if err != nil {
			return nil, err
		}
		defer func() { _ = echo.close() }()
		synced, err := b.dialBaseline(ctx, BaselineAppend)
		if err != nil {
			return nil, err
		}
		defer func() { _ = synced.close() }()
		bare, err := b.dialBaseline(ctx, BaselineFile)
		if err != nil {
			return nil, err
		}
		defer func() { _ = bare.close() }()
		app, round := b.newApp(), 0
		var syncs, echoes, bares, appends, p99 []float64
		s, err := b.between(ctx,
			func(ctx context.Context) (float64, error) {
				b.progress("sync and unary echo")
				latency, err := syncLatency(b.dir, b.cfg.Sizes.Calls)
				if err != nil {
					return 0, err
				}
				took, err := b.oneByOne(ctx, echo, app, 0)
				syncs = append(syncs, in(time.Microsecond, latency))
				echoes = append(echoes, in(time.Microsecond, percentile(took, 0.5)))
				return in(time.Microsecond, latency+percentile(took, 0.5)), err
			},
			func(ctx context.Context) (float64, error) {
				b.progress("file sync and synced append")
				took, err := b.oneByOne(ctx, bare, app, round)
				if err != nil {
					return 0, err
				}
				bares = append(bares, in(time.Microsecond, percentile(took, 0.5)))
				if took, err = b.oneByOne(ctx, synced, app, round); err != nil {
					return 0, err
				}
				appends = append(appends, in(time.Microsecond, percentile(took, 0.5)))
				b.progress("schedule")
				took, err = b.oneByOne(ctx, t, app, round)
				round++
				p99 = append(p99, in(time.Microsecond, percentile(took, 0.99)))
				return in(time.Microsecond, percentile(took, 0.5)), err
			})
		if err != nil {
			return nil, err
		}
		count, err := t.countJobs(ctx, app, b.cfg.Sizes.Calls*round)
		if err != nil {
			return nil, err
		}
		r := s.result(RowResult{
			Row: 3, Measure: "one caller alone, p50", Unit: "µs", Threshold: atMost(1.3, 1.1), Count: &count,
			Detail: []Figure{{"sync", mean(syncs...), "µs"}, {"unary echo", mean(echoes...), "µs"}, {"file sync", median(bares), "µs"}, {"synced append", median(appends), "µs"}, {"p99", median(p99), "µs"}},
		}, "sync + unary echo")
		return []RowResult{r}, t.cleanUp(ctx, app)
	})
}

// oneByOne has one caller schedule jobs one after the other, and returns the durations in ascending
// order.
func (b *bench) oneByOne(ctx context.Context, t *measuredServer, app string, round int) ([]time.Duration, error) {
	r := t.request(app, oneShot(farFuture))
	took := make([]time.Duration, 0, b.cfg.Sizes.Calls)
	for n := range b.cfg.Sizes.Calls {
		r.Name = fmt.Sprintf("%d-%d", round, n)
		begin := time.Now()
		if _, err := t.stubs[0].ScheduleJob(ctx, r); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
	}
	return sorted(took), nil
}
