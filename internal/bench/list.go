package bench

import (
	"context"
	"fmt"
	"time"
)

// list measures how long it takes to list the jobs of an app: row 11.
func (b *bench) list(ctx context.Context) ([]RowResult, error) {
	return b.withScheduler(ctx, func(t *measuredServer) ([]RowResult, error) {
		b.progress("storing")
		app, n := b.newApp(), b.cfg.Sizes.List
		if err := b.fill(ctx, t, app, farFuture, n); err != nil {
			return nil, err
		}
		b.progress("listing")
		var took []float64
		for range 3 {
			begin := time.Now()
			if _, err := t.listJobs(ctx, app); err != nil {
				return nil, err
			}
			took = append(took, time.Since(begin).Seconds())
		}
		count, err := t.countJobs(ctx, app, n)
		if err != nil {
			return nil, err
		}
		r := RowResult{
			Row: 11, Measure: fmt.Sprintf("list %s jobs of one app", format(float64(n), "")), Value: median(took), Unit: "s",
			Threshold: atMost(2, 1), Count: &count,
		}
		return []RowResult{r}, t.cleanUp(ctx, app)
	})
}
