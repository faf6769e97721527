package bench

import (
	"context"
	"time"
)

// What the tests of the arithmetic see.
type (
	Ledger      = ledger
	Expectation = expectation
)

var (
	NewLedger  = newLedger
	Percentile = percentile
	Median     = median
	Format     = format
)

func NewExpectation(jobs, times int, due func(job, k int) time.Time) Expectation {
	return expectation{jobs: jobs, times: times, due: due}
}

func (l *ledger) Add(name string, at time.Time)          { l.add(name, at) }
func (l *ledger) Count(p Expectation) Count              { return l.count(p) }
func (l *ledger) Lateness(p Expectation) []time.Duration { return l.lateness(p) }
func (r RowResult) Judged(slowdown float64) RowResult    { return r.judged(slowdown) }

// Between takes a measure between baselines, in that many rounds.
func Between(ctx context.Context, rounds int, baseline, measure func(context.Context) (float64, error)) (RowResult, error) {
	b := &bench{cfg: Config{Sizes: Sizes{Rounds: rounds}}}
	s, err := b.between(ctx, baseline, measure)
	return s.result(RowResult{}, "baseline"), err
}
