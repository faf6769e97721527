package bench

import (
	"context"
	"fmt"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"golang.org/x/sync/errgroup"
)

const (
	// period is that of the recurring jobs.
	period = time.Second
	// phases is the time over which their beginnings are spread, evenly.
	phases = 2 * time.Second
)

// A series is what recurring jobs have seen.
type series struct {
	onTime float64 // the share that came within a period of the last due instant of its job
	errors []time.Duration
	cost   float64 // of the server for each trigger, in microseconds
	count  Count
}

// recurring measures whether jobs that fall due every second keep their time: row 5.
func (b *bench) recurring(ctx context.Context) ([]RowResult, error) {
	return b.with(ctx, func(t *target) ([]RowResult, error) {
		s, err := b.series(ctx, t)
		if err != nil {
			return nil, err
		}
		what := fmt.Sprintf("%s jobs at @every 1s, %d times", format(float64(b.cfg.Sizes.Recurring), ""), b.cfg.Sizes.Repeats)
		figures := spread("error", s.errors)
		return []RowResult{
			{
				Row: 5, Measure: what + ": share delivered", Value: s.onTime * 100, Unit: "%", Bar: atLeast(100, 100), Count: &s.count,
				Detail: []Figure{{"server CPU", s.cost, "µs"}},
			},
			{
				Row: 5, Measure: what + ": p99 of the period's error", Value: figures[1].Value, Unit: "ms", Bar: atMost(50, 10),
				Detail: []Figure{figures[0], figures[2]},
			},
		}, nil
	})
}

// series schedules the recurring jobs, and receives them until each has come as often as it was to.
func (b *bench) series(ctx context.Context, t *target) (series, error) {
	b.progress("scheduling")
	n, repeats := b.cfg.Sizes.Recurring, b.cfg.Sizes.Repeats
	app, l := b.app(), newLedger(n*repeats)
	asked, acknowledged := make([]time.Time, n), make([]time.Time, n)
	p := plan{jobs: n, times: repeats, due: func(job, k int) time.Time {
		return asked[job].Add(time.Duration(k+1) * period)
	}}
	var result series
	err := b.receive(ctx, t, app, l, func(ctx context.Context) error {
		every, times := "@every 1s", uint32(repeats)
		begin := time.Now()
		err := b.each(ctx, n, func(ctx context.Context, caller, i int) error {
			r := t.request(app, &schedulerv1.Job{Schedule: &every, Repeats: &times})
			r.Name = fmt.Sprint(i)
			if err := until(ctx, begin.Add(phases*time.Duration(i)/time.Duration(n))); err != nil {
				return err
			}
			asked[i] = time.Now()
			_, err := t.on[caller%len(t.on)].ScheduleJob(ctx, r)
			acknowledged[i] = time.Now()
			return err
		})
		if err != nil {
			return fmt.Errorf("schedule %d recurring jobs: %w", n, err)
		}
		b.progress("receiving")
		used, since := t.process.cpu(), triggers(l)
		if err := l.wait(ctx, time.Now(), b.cfg.Sizes.Patience); err != nil {
			return err
		}
		result.cost = in(time.Microsecond, t.process.cpu()-used) / float64(max(triggers(l)-since, 1))
		return until(ctx, time.Now().Add(b.cfg.Sizes.Linger))
	})
	if err != nil {
		return series{}, err
	}
	result.count = l.count(p)
	at, _ := l.perJob(n)
	inTime := 0
	for job, times := range at {
		end := acknowledged[job].Add(time.Duration(repeats+1) * period)
		for k, t := range times {
			if k < repeats && !t.After(end) {
				inTime++
			}
			if k > 0 {
				result.errors = append(result.errors, (t.Sub(times[k-1]) - period).Abs())
			}
		}
	}
	result.onTime = float64(inTime) / float64(n*repeats)
	return result, nil
}

func triggers(l *ledger) int {
	n, _ := l.last()
	return n
}

// receive calls f while the triggers of the app are noted in l and answered, and returns its error or that of the
// stream.
func (b *bench) receive(ctx context.Context, t *target, app string, l *ledger, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return t.watch(ctx, app, func(name string, at time.Time) bool {
			l.add(name, at)
			return true
		})
	})
	g.Go(func() error {
		defer cancel()
		return f(ctx)
	})
	return g.Wait()
}
