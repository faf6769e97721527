package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
)

// floodJobs is how many always-due jobs the flooding app has: due every millisecond since 2001,
// they fire as often as they are handled.
const floodJobs = 300

// isolation measures the lateness of an app beside one that hangs, and beside one whose jobs are
// always due: row 16.
func (b *bench) isolation(ctx context.Context) ([]RowResult, error) {
	return b.withScheduler(ctx, func(t *measuredServer) ([]RowResult, error) {
		var total Count
		var details []Figure
		p99 := func(what string) (float64, error) {
			late, count, err := b.lateness(ctx, t)
			total = total.plus(count)
			figures := spread(what, late)
			details = append(details, figures[0], figures[2])
			return figures[1].Value, err
		}
		before, err := p99("alone before")
		if err != nil {
			return nil, err
		}
		beside, held, err := b.besideHung(ctx, t, func() (float64, error) { return p99("beside it") })
		if err != nil {
			return nil, err
		}
		flooded, fired, err := b.besideFlood(ctx, t, func() (float64, error) { return p99("beside a flood") })
		if err != nil {
			return nil, err
		}
		after, err := p99("alone after")
		if err != nil {
			return nil, err
		}
		baseline := &Baseline{Name: "alone", Value: mean(before, after), Values: []float64{before, after}}
		return []RowResult{{
			Row: 16, Measure: fmt.Sprintf("lateness of an app beside one with %d jobs that are always due, p99", floodJobs),
			Value: flooded, Unit: "ms", Threshold: atMost(1.5, 1.1), Baseline: baseline, Ratio: flooded / mean(before, after),
			Notes: []string{fmt.Sprintf("the jobs that are always due fired %s times a second", format(fired, ""))},
		}, {
			Row: 16, Measure: fmt.Sprintf("lateness of an app beside one that hangs with %s due, p99", format(float64(b.cfg.Sizes.Hung), "")),
			Value: beside, Unit: "ms", Threshold: atMost(1.5, 1.1), Count: &total, Detail: details,
			Baseline: baseline, Ratio: beside / mean(before, after),
			Notes: []string{fmt.Sprintf("the app that hangs held %s triggers", format(float64(held), ""))},
		}}, nil
	})
}

// besideFlood calls f while another app has jobs that are always due, and handles each trigger at
// once. It also returns the rate of those triggers per second.
func (b *bench) besideFlood(ctx context.Context, t *measuredServer, f func() (float64, error)) (value, fired float64, err error) {
	b.progress("scheduling jobs that are always due")
	app := b.newApp()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	var got atomic.Int64
	ended := make(chan error, 1)
	go func() {
		ended <- t.watch(serving, app, func(string, time.Time) bool {
			got.Add(1)
			return true
		})
	}()
	err = b.fillWith(ctx, t, app, 0, floodJobs, func(r *schedulerv1.ScheduleJobRequest, _ int) {
		r.Job.DueTime = new(instant(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)))
		r.Job.Schedule = new("@every 1ms")
	})
	if err == nil {
		begin, before := time.Now(), got.Load()
		value, err = f()
		fired = float64(got.Load()-before) / time.Since(begin).Seconds()
	}
	err = errors.Join(err, retryUntilRecovered(ctx, func() error { return t.deleteJobs(ctx, app) }))
	stop()
	return value, fired, errors.Join(err, <-ended)
}

// besideHung calls f while another app has jobs due but answers no trigger. It also returns how
// many triggers that app was sent.
func (b *bench) besideHung(ctx context.Context, t *measuredServer, f func() (float64, error)) (value float64, held int, err error) {
	b.progress("scheduling for an app that hangs")
	hung := b.newApp()
	hanging, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- t.watch(hanging, hung, func(string, time.Time) bool {
			held++
			return false
		})
	}()
	value, err = func() (float64, error) {
		if err := b.fill(ctx, t, hung, instant(time.Now()), b.cfg.Sizes.Hung); err != nil {
			return 0, err
		}
		return f()
	}()
	stop()
	err = errors.Join(err, <-ended)
	if err != nil {
		return 0, 0, err
	}
	return value, held, t.deleteJobs(ctx, hung)
}
