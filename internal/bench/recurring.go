package bench

import (
	"context"
	"fmt"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
)

const (
	// period is the interval of the recurring jobs.
	period = time.Second
	// startSpread is the time over which their starts are spread evenly.
	startSpread = 2 * time.Second
)

// recurringResult is the result of recurring jobs.
type recurringResult struct {
	onTime float64 // share delivered within a period of the job's last due instant
	errors []time.Duration
	cost   float64 // processor time of the server per trigger, in microseconds
	count  Count
}

// recurring measures whether jobs that are due every second stay in time: row 5.
func (b *bench) recurring(ctx context.Context) ([]RowResult, error) {
	return b.withScheduler(ctx, func(t *measuredServer) ([]RowResult, error) {
		s, err := b.runRecurring(ctx, t)
		if err != nil {
			return nil, err
		}
		what := fmt.Sprintf("%s jobs at @every 1s, %d times", format(float64(b.cfg.Sizes.Recurring), ""), b.cfg.Sizes.Repeats)
		figures := spread("error", s.errors)
		return []RowResult{
			{
				Row: 5, Measure: what + ": share delivered", Value: s.onTime * 100, Unit: "%", Threshold: atLeast(100, 100), Count: &s.count,
				Detail: []Figure{{"server CPU", s.cost, "µs"}},
			},
			{
				Row: 5, Measure: what + ": p99 of the period's error", Value: figures[1].Value, Unit: "ms", Threshold: atMost(50, 10),
				Detail: []Figure{figures[0], figures[2]},
			},
		}, nil
	})
}

// runRecurring schedules the recurring jobs, and receives all their occurrences.
func (b *bench) runRecurring(ctx context.Context, t *measuredServer) (recurringResult, error) {
	b.progress("scheduling")
	n, repeats := b.cfg.Sizes.Recurring, b.cfg.Sizes.Repeats
	app, l := b.newApp(), newLedger(n*repeats)
	asked, acknowledged := make([]time.Time, n), make([]time.Time, n)
	p := expectation{jobs: n, times: repeats, due: func(job, k int) time.Time {
		return asked[job].Add(time.Duration(k+1) * period)
	}}
	var result recurringResult
	err := b.receive(ctx, t, app, l, func(ctx context.Context) error {
		every, times := "@every 1s", uint32(repeats)
		begin := time.Now()
		err := b.inParallel(ctx, n, func(ctx context.Context, caller, i int) error {
			r := t.request(app, &schedulerv1.Job{Schedule: &every, Repeats: &times})
			r.Name = fmt.Sprint(i)
			if err := until(ctx, begin.Add(startSpread*time.Duration(i)/time.Duration(n))); err != nil {
				return err
			}
			asked[i] = time.Now()
			_, err := t.stubs[caller%len(t.stubs)].ScheduleJob(ctx, r)
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
		return recurringResult{}, err
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
