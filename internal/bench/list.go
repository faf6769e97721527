package bench

import (
	"context"
	"fmt"
	"time"
)

// list measures how long it takes to list the jobs of an app: row 11.
func (b *bench) list(ctx context.Context) ([]RowResult, error) {
	return b.with(ctx, func(t *target) ([]RowResult, error) {
		b.progress("storing")
		app, n := b.app(), b.cfg.Sizes.List
		if err := b.fill(ctx, t, app, far, n); err != nil {
			return nil, err
		}
		b.progress("listing")
		var took []float64
		for range 3 {
			begin := time.Now()
			if _, err := t.list(ctx, app); err != nil {
				return nil, err
			}
			took = append(took, time.Since(begin).Seconds())
		}
		count, err := t.stored(ctx, app, n)
		if err != nil {
			return nil, err
		}
		r := RowResult{
			Row: 11, Measure: fmt.Sprintf("list %s jobs of one app", format(float64(n), "")), Value: median(took), Unit: "s",
			Bar: atMost(2, 1), Count: &count,
		}
		return []RowResult{r}, t.tidy(ctx, app)
	})
}
