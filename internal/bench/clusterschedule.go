package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// scheduleOnCluster measures how many jobs all nodes together acknowledge: row 14.
func (b *bench) scheduleOnCluster(ctx context.Context) (results []RowResult, err error) {
	f, err := b.startCluster(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.stop()) }()
	echo, err := b.dialBaseline(ctx, BaselineEcho)
	if err != nil {
		return nil, err
	}
	defer func() { _ = echo.close() }()
	all := &measuredServer{client: f.client}
	app, acknowledged, round := b.newApp(), 0, 0
	b.progress("warming up") // in its first second a node uses up to twice the processor time per job
	l, err := b.scheduleFarRound(ctx, all, app, round)
	if err != nil {
		return nil, err
	}
	round, acknowledged = round+1, l.total
	s, err := b.between(ctx,
		func(ctx context.Context) (float64, error) {
			b.progress("unary echo")
			l, err := b.scheduleFar(ctx, echo, b.newApp())
			return l.rate(), err
		},
		func(ctx context.Context) (float64, error) {
			b.progress("schedule")
			used := f.cpu()
			l, err := b.scheduleFarRound(ctx, all, app, round)
			round++
			acknowledged += l.total
			f.cpuPerJob = append(f.cpuPerJob, in(time.Microsecond, f.cpu()-used)/float64(max(l.total, 1)))
			return l.rate(), err
		})
	if err != nil {
		return nil, err
	}
	b.progress("counting what is stored")
	count, err := f.countJobs(ctx, app, acknowledged)
	if err != nil {
		return nil, err
	}
	r := s.result(RowResult{
		Row: 14, Measure: fmt.Sprintf("%d nodes on one machine: durable schedule, %d callers", b.cfg.Nodes, b.cfg.Callers),
		Unit: "/s", Threshold: speed(atLeast(8000, 15_000)), Count: &count,
		Detail: []Figure{{"CPU of all nodes", median(f.cpuPerJob), "µs"}},
	}, "unary echo")
	r.Threshold.Absolute = true
	return []RowResult{r}, nil
}
