package bench

import (
	"context"
	"fmt"
)

// schedule measures durable scheduling: rows 1 and 2.
func (b *bench) schedule(ctx context.Context) ([]RowResult, error) {
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
		app, acknowledged := b.newApp(), 0
		var costs, echoCosts, syncedRates, syncedCosts []float64
		s, err := b.between(ctx,
			func(ctx context.Context) (float64, error) {
				b.progress("unary echo")
				l, err := b.scheduleFar(ctx, echo, b.newApp())
				echoCosts = append(echoCosts, l.cost())
				return l.rate(), err
			},
			func(ctx context.Context) (float64, error) {
				b.progress("synced append")
				l, err := b.scheduleFar(ctx, synced, b.newApp())
				if err != nil {
					return 0, err
				}
				syncedRates, syncedCosts = append(syncedRates, l.rate()), append(syncedCosts, l.cost())
				b.progress("schedule")
				l, err = b.scheduleFarRound(ctx, t, app, len(costs))
				acknowledged += l.total
				costs = append(costs, l.cost())
				return l.rate(), err
			})
		if err != nil {
			return nil, err
		}
		b.progress("counting what is stored")
		count, err := t.countJobs(ctx, app, acknowledged)
		if err != nil {
			return nil, err
		}
		throughput := s.result(RowResult{
			Row: 1, Measure: fmt.Sprintf("durable schedule, %d callers", b.cfg.Callers), Unit: "/s", Threshold: atLeast(0.6, 0.8),
			Count:  &count,
			Detail: []Figure{{"synced append", median(syncedRates), "/s"}},
		}, "unary echo")
		cost := RowResult{
			Row: 2, Measure: "server CPU per schedule", Value: median(costs), Unit: "µs", Threshold: speed(atMost(45, 32)),
			Detail: []Figure{{"unary echo", mean(echoCosts...), "µs"}, {"synced append", median(syncedCosts), "µs"}},
		}
		return []RowResult{throughput, cost}, t.cleanUp(ctx, app)
	})
}
