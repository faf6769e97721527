package bench

import (
	"context"
	"fmt"
	"strconv"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
)

// schedule measures what it takes to acknowledge jobs durably: rows 1 and 2.
func (b *bench) schedule(ctx context.Context) ([]RowResult, error) {
	return b.with(ctx, func(t *target) ([]RowResult, error) {
		echo, err := b.unary(ctx, NullEcho)
		if err != nil {
			return nil, err
		}
		defer func() { _ = echo.close() }()
		synced, err := b.unary(ctx, NullSynced)
		if err != nil {
			return nil, err
		}
		defer func() { _ = synced.close() }()
		app, acknowledged := b.app(), 0
		var costs, echoCosts, syncedRates, syncedCosts []float64
		s, err := b.between(ctx,
			func(ctx context.Context) (float64, error) {
				b.progress("unary echo")
				l, err := b.far(ctx, echo, b.app())
				echoCosts = append(echoCosts, l.cost())
				return l.rate(), err
			},
			func(ctx context.Context) (float64, error) {
				b.progress("synced append")
				l, err := b.far(ctx, synced, b.app())
				if err != nil {
					return 0, err
				}
				syncedRates, syncedCosts = append(syncedRates, l.rate()), append(syncedCosts, l.cost())
				b.progress("schedule")
				l, err = b.farFrom(ctx, t, app, len(costs))
				acknowledged += l.total
				costs = append(costs, l.cost())
				return l.rate(), err
			})
		if err != nil {
			return nil, err
		}
		b.progress("counting what is stored")
		count, err := t.stored(ctx, app, acknowledged)
		if err != nil {
			return nil, err
		}
		throughput := s.into(RowResult{
			Row: 1, Measure: fmt.Sprintf("durable schedule, %d callers", b.cfg.Callers), Unit: "/s", Bar: atLeast(0.6, 0.8),
			Count:  &count,
			Detail: []Figure{{"synced append", median(syncedRates), "/s"}},
		}, "unary echo")
		cost := RowResult{
			Row: 2, Measure: "server CPU per schedule", Value: median(costs), Unit: "µs", Bar: speed(atMost(45, 32)),
			Detail: []Figure{{"unary echo", mean(echoCosts...), "µs"}, {"synced append", median(syncedCosts), "µs"}},
		}
		return []RowResult{throughput, cost}, t.tidy(ctx, app)
	})
}

// tidy deletes the jobs of the app from a server that is not ours.
func (t *target) tidy(ctx context.Context, app string) error {
	if t.child != nil {
		return nil
	}
	return t.forget(ctx, app)
}

// unary returns a client of the null of that name.
func (b *bench) unary(ctx context.Context, name string) (*target, error) {
	c, err := b.null(ctx, name)
	if err != nil {
		return nil, err
	}
	conn, err := b.dial(c.found[0])
	return &target{client: conn, process: c.process(), child: c, address: c.found[0]}, err
}

// far has all callers schedule jobs of the app that are far in the future.
func (b *bench) far(ctx context.Context, t *target, app string) (load, error) {
	return b.farFrom(ctx, t, app, 0)
}

// farFrom is far, in a round of several: each has names of its own.
func (b *bench) farFrom(ctx context.Context, t *target, app string, round int) (load, error) {
	requests := t.requests(b.cfg.Callers, app, far)
	return b.press(ctx, t.process, func(ctx context.Context, caller, n int) error {
		r := requests[caller]
		name := strconv.AppendInt(make([]byte, 0, 24), int64(round), 10)
		name = strconv.AppendInt(append(name, '-'), int64(caller), 10)
		r.Name = string(strconv.AppendInt(append(name, '-'), int64(n), 10))
		scramble(r.Job.Data.Value, uint64(caller)<<32+uint64(n))
		_, err := t.on[caller%len(t.on)].ScheduleJob(ctx, r)
		return err
	})
}

// requests returns a request for each caller, of jobs of the app that are due once.
func (c *client) requests(callers int, app, due string) []*schedulerv1.ScheduleJobRequest {
	requests := make([]*schedulerv1.ScheduleJobRequest, callers)
	for i := range requests {
		requests[i] = c.request(app, oneShot(due))
	}
	return requests
}

// fill schedules n jobs of the app, which are due once. Their names are the numbers from 0.
func (b *bench) fill(ctx context.Context, t *target, app, due string, n int) error {
	return b.fillWith(ctx, t, app, 0, n, func(r *schedulerv1.ScheduleJobRequest, _ int) { r.Job.DueTime = &due })
}

// fillWith schedules n jobs of the app, whose names are the numbers from the first on. Each request is given to prepare
// with its number, which counts from 0.
func (b *bench) fillWith(
	ctx context.Context, t *target, app string, first, n int, prepare func(r *schedulerv1.ScheduleJobRequest, i int),
) error {
	known, err := b.fillBulk(ctx, t, app, first, n, prepare)
	if err != nil {
		return fmt.Errorf("schedule %d jobs over streams: %w", n, err)
	}
	if known {
		return nil
	}
	requests := t.requests(b.cfg.Callers, app, far)
	err = b.each(ctx, n, func(ctx context.Context, caller, i int) error {
		r := requests[caller]
		r.Name = strconv.Itoa(first + i)
		scramble(r.Job.Data.Value, uint64(first+i))
		prepare(r, i)
		_, err := t.on[caller%len(t.on)].ScheduleJob(ctx, r)
		return err
	})
	if err != nil {
		return fmt.Errorf("schedule %d jobs: %w", n, err)
	}
	return nil
}

// alone measures how long a caller that is alone waits for its acknowledgement: row 3.
func (b *bench) alone(ctx context.Context) ([]RowResult, error) {
	return b.with(ctx, func(t *target) ([]RowResult, error) {
		echo, err := b.unary(ctx, NullEcho)
		if err != nil {
			return nil, err
		}
		defer func() { _ = echo.close() }()
		synced, err := b.unary(ctx, NullSynced)
		if err != nil {
			return nil, err
		}
		defer func() { _ = synced.close() }()
		bare, err := b.unary(ctx, NullBare)
		if err != nil {
			return nil, err
		}
		defer func() { _ = bare.close() }()
		app, round := b.app(), 0
		var syncs, echoes, bares, appends, p99 []float64
		s, err := b.between(ctx,
			func(ctx context.Context) (float64, error) {
				b.progress("sync and unary echo")
				latency, err := syncLatency(b.dir, b.cfg.Sizes.Calls)
				if err != nil {
					return 0, err
				}
				took, err := b.oneByOne(ctx, echo, app, 0)
				syncs = append(syncs, in(time.Microsecond, latency))
				echoes = append(echoes, in(time.Microsecond, percentile(took, 0.5)))
				return in(time.Microsecond, latency+percentile(took, 0.5)), err
			},
			func(ctx context.Context) (float64, error) {
				b.progress("bare sync and synced append")
				took, err := b.oneByOne(ctx, bare, app, round)
				if err != nil {
					return 0, err
				}
				bares = append(bares, in(time.Microsecond, percentile(took, 0.5)))
				if took, err = b.oneByOne(ctx, synced, app, round); err != nil {
					return 0, err
				}
				appends = append(appends, in(time.Microsecond, percentile(took, 0.5)))
				b.progress("schedule")
				took, err = b.oneByOne(ctx, t, app, round)
				round++
				p99 = append(p99, in(time.Microsecond, percentile(took, 0.99)))
				return in(time.Microsecond, percentile(took, 0.5)), err
			})
		if err != nil {
			return nil, err
		}
		count, err := t.stored(ctx, app, b.cfg.Sizes.Calls*round)
		if err != nil {
			return nil, err
		}
		r := s.into(RowResult{
			Row: 3, Measure: "one caller alone, p50", Unit: "µs", Bar: atMost(1.3, 1.1), Count: &count,
			Detail: []Figure{{"sync", mean(syncs...), "µs"}, {"unary echo", mean(echoes...), "µs"}, {"bare sync", median(bares), "µs"}, {"synced append", median(appends), "µs"}, {"p99", median(p99), "µs"}},
		}, "sync + unary echo")
		return []RowResult{r}, t.tidy(ctx, app)
	})
}

// oneByOne has one caller schedule jobs, one after the other, and returns how long each took, in ascending order.
func (b *bench) oneByOne(ctx context.Context, t *target, app string, round int) ([]time.Duration, error) {
	r := t.request(app, oneShot(far))
	took := make([]time.Duration, 0, b.cfg.Sizes.Calls)
	for n := range b.cfg.Sizes.Calls {
		r.Name = fmt.Sprintf("%d-%d", round, n)
		begin := time.Now()
		if _, err := t.on[0].ScheduleJob(ctx, r); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
	}
	return sorted(took), nil
}
