package bench

import (
	"context"
	"fmt"
)

// burst measures how fast jobs that are due at one instant are delivered and settled: row 4.
func (b *bench) burst(ctx context.Context) ([]RowResult, error) {
	return b.withScheduler(ctx, func(t *measuredServer) ([]RowResult, error) {
		var total burstResult
		var costs []float64
		s, err := b.between(ctx, b.streamEcho, func(ctx context.Context) (float64, error) {
			one, err := b.runBurst(ctx, t, b.cfg.Sizes.Burst)
			costs = append(costs, one.cost)
			total.add(one)
			return one.settled, err
		})
		if err != nil {
			return nil, err
		}
		r := s.result(RowResult{
			Row: 4, Measure: fmt.Sprintf("burst of %s, delivered and settled", format(float64(b.cfg.Sizes.Burst), "")),
			Unit: "/s", Threshold: atLeast(0.4, 0.6), Count: &total.count,
			Detail: append(spread("late", total.late), Figure{"delivered", total.delivered, "/s"}, Figure{"server CPU", median(costs), "µs"}),
		}, "stream echo")
		return []RowResult{r}, nil
	})
}
