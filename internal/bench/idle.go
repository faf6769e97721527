package bench

import "context"

// idle measures the lateness of a server that has nothing else to do: row 6.
func (b *bench) idle(ctx context.Context) ([]RowResult, error) {
	return b.withScheduler(ctx, func(t *measuredServer) ([]RowResult, error) {
		late, count, err := b.lateness(ctx, t)
		if err != nil {
			return nil, err
		}
		figures := spread("late", late)
		return []RowResult{
			{Row: 6, Measure: "idle lateness, p50", Value: figures[0].Value, Unit: "ms", Threshold: atMost(1, 0.5), Count: &count},
			{
				Row: 6, Measure: "idle lateness, p99", Value: figures[1].Value, Unit: "ms", Threshold: atMost(3, 1.5),
				Detail: figures[2:],
			},
		}, nil
	})
}
