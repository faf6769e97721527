package bench

import (
	"context"
	"strconv"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
)

// get measures how fast jobs are read by name: row 10.
func (b *bench) get(ctx context.Context) ([]RowResult, error) {
	return b.withScheduler(ctx, func(t *measuredServer) ([]RowResult, error) {
		echo, err := b.dialBaseline(ctx, BaselineEcho)
		if err != nil {
			return nil, err
		}
		defer func() { _ = echo.close() }()
		app := b.newApp()
		b.progress("storing")
		if err := b.fill(ctx, t, app, farFuture, b.cfg.Sizes.Few); err != nil {
			return nil, err
		}
		var costs []float64
		s, err := b.between(ctx,
			func(ctx context.Context) (float64, error) {
				b.progress("unary echo")
				l, err := b.scheduleFar(ctx, echo, app)
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
		r := s.result(RowResult{
			Row: 10, Measure: "get by name", Unit: "/s", Threshold: atLeast(0.6, 0.8),
			Detail: []Figure{{"server CPU", median(costs), "µs"}},
		}, "unary echo")
		return []RowResult{r}, t.cleanUp(ctx, app)
	})
}

// read has all callers get jobs of the app, spread over all names.
func (b *bench) read(ctx context.Context, t *measuredServer, app string) (loadResult, error) {
	requests := make([]*schedulerv1.GetJobRequest, b.cfg.Callers)
	for i := range requests {
		requests[i] = &schedulerv1.GetJobRequest{Metadata: meta(app)}
	}
	stored := b.cfg.Sizes.Few
	const stride = 7919 // a prime: each caller gets every name
	return b.runLoad(ctx, t.process, func(ctx context.Context, caller, n int) error {
		r := requests[caller]
		r.Name = strconv.Itoa((caller*stored/b.cfg.Callers + n*stride) % stored)
		_, err := t.stubs[caller%len(t.stubs)].GetJob(ctx, r)
		return err
	})
}
