package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// bulkSchedule measures scheduling by calls with many jobs: row 18.
func (b *bench) bulkSchedule(ctx context.Context) ([]RowResult, error) {
	return b.withScheduler(ctx, func(t *measuredServer) ([]RowResult, error) {
		echo, err := b.dialBaseline(ctx, BaselineEcho)
		if err != nil {
			return nil, err
		}
		defer func() { _ = echo.close() }()
		app, acknowledged := b.newApp(), 0
		callers, err := b.bulkCallers(ctx, t, app)
		if err != nil {
			return nil, err
		}
		if callers == nil {
			return nil, errors.New("the scheduler does not implement carillon.v1.Bulk")
		}
		few := *b
		few.cfg.Callers = groupCallers
		var costs []float64
		s, err := b.between(ctx,
			func(ctx context.Context) (float64, error) {
				b.progress("unary echo")
				l, err := b.scheduleFar(ctx, echo, b.newApp())
				return l.rate(), err
			},
			func(ctx context.Context) (float64, error) {
				b.progress("schedule many jobs in a call")
				round := len(costs)
				l, err := few.runLoad(ctx, t.process, func(ctx context.Context, caller, n int) error {
					for i, r := range callers[caller].message.GetJobs() {
						r.Name = fmt.Sprintf("%d-%d-%d", round, caller, n*groupJobs+i)
						scramble(r.Job.Data.Value, uint64(caller)<<32+uint64(n*groupJobs+i))
					}
					return callers[caller].schedule(ctx)
				})
				acknowledged += l.total * groupJobs
				costs = append(costs, l.cost()/groupJobs)
				return l.rate() * groupJobs, err
			})
		if err != nil {
			return nil, err
		}
		b.progress("counting what is stored")
		count, err := t.countJobs(ctx, app, acknowledged)
		if err != nil {
			return nil, err
		}
		r := s.result(RowResult{
			Row: 18, Measure: fmt.Sprintf("durable schedule, %d jobs in a call", groupJobs), Unit: "/s", Threshold: atLeast(1.9, 2.5),
			Count: &count, Detail: []Figure{{"server CPU", median(costs), "µs"}},
		}, "unary echo")
		return []RowResult{r}, t.cleanUp(ctx, app)
	})
}

// bulkDuration estimates how long row 18 takes.
func bulkDuration(s Sizes) time.Duration {
	return 3*time.Second + time.Duration(2*s.Rounds+1)*(s.Window+warmUp)
}
