package bench

import (
	"context"
	"time"
)

// What the tests of the arithmetic see.
type (
	Ledger = ledger
	Plan   = plan
)

var (
	NewLedger  = newLedger
	Percentile = percentile
	Median     = median
	Format     = format
)

func NewPlan(jobs, times int, due func(job, k int) time.Time) Plan {
	return plan{jobs: jobs, times: times, due: due}
}

func (l *ledger) Add(name string, at time.Time)   { l.add(name, at) }
func (l *ledger) Count(p Plan) Count              { return l.count(p) }
func (l *ledger) Lateness(p Plan) []time.Duration { return l.lateness(p) }
func (r RowResult) Judged(pace float64) RowResult { return r.judged(pace) }

// Between takes a measure between nulls, in that many rounds.
func Between(ctx context.Context, rounds int, null, measure func(context.Context) (float64, error)) (RowResult, error) {
	b := &bench{cfg: Config{Sizes: Sizes{Rounds: rounds}}}
	s, err := b.between(ctx, null, measure)
	return s.into(RowResult{}, "null"), err
}
