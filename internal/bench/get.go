package bench

import (
	"context"
	"strconv"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
)

// get measures how fast jobs are read by their names: row 10.
func (b *bench) get(ctx context.Context) ([]RowResult, error) {
	return b.with(ctx, func(t *target) ([]RowResult, error) {
		echo, err := b.unary(ctx, NullEcho)
		if err != nil {
			return nil, err
		}
		defer func() { _ = echo.close() }()
		app := b.app()
		b.progress("storing")
		if err := b.fill(ctx, t, app, far, b.cfg.Sizes.Few); err != nil {
			return nil, err
		}
		var costs []float64
		s, err := b.between(ctx,
			func(ctx context.Context) (float64, error) {
				b.progress("unary echo")
				l, err := b.far(ctx, echo, app)
				return l.rate(), err
			},
			func(ctx context.Context) (float64, error) {
				b.progress("get")
				l, err := b.read(ctx, t, app)
				costs = append(costs, l.cost())
				return l.rate(), err
			})
		if err != nil {
			return nil, err
		}
		r := s.into(RowResult{
			Row: 10, Measure: "get by name", Unit: "/s", Bar: atLeast(0.6, 0.8),
			Detail: []Figure{{"server CPU", median(costs), "µs"}},
		}, "unary echo")
		return []RowResult{r}, t.tidy(ctx, app)
	})
}

// read has all callers get jobs of the app, all over their names.
func (b *bench) read(ctx context.Context, t *target, app string) (load, error) {
	requests := make([]*schedulerv1.GetJobRequest, b.cfg.Callers)
	for i := range requests {
		requests[i] = &schedulerv1.GetJobRequest{Metadata: meta(app)}
	}
	stored := b.cfg.Sizes.Few
	const stride = 7919 // a prime: a caller comes to every name
	return b.press(ctx, t.process, func(ctx context.Context, caller, n int) error {
		r := requests[caller]
		r.Name = strconv.Itoa((caller*stored/b.cfg.Callers + n*stride) % stored)
		_, err := t.on[caller%len(t.on)].GetJob(ctx, r)
		return err
	})
}
