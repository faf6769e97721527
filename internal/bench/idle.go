package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
)

// pace is the time between the due instants of two jobs whose lateness is measured.
const pace = 10 * time.Millisecond

// idle measures how late a server that has nothing else to do is: row 6.
func (b *bench) idle(ctx context.Context) ([]RowResult, error) {
	return b.with(ctx, func(t *target) ([]RowResult, error) {
		late, count, err := b.lateness(ctx, t)
		if err != nil {
			return nil, err
		}
		figures := spread("late", late)
		return []RowResult{
			{Row: 6, Measure: "idle lateness, p50", Value: figures[0].Value, Unit: "ms", Bar: atMost(1, 0.5), Count: &count},
			{
				Row: 6, Measure: "idle lateness, p99", Value: figures[1].Value, Unit: "ms", Bar: atMost(3, 1.5),
				Detail: figures[2:],
			},
		}, nil
	})
}

// lateness schedules jobs at a steady pace, all beforehand, and returns by how much each came late.
func (b *bench) lateness(ctx context.Context, t *target) ([]time.Duration, Count, error) {
	b.progress("scheduling")
	n := int(b.cfg.Sizes.Idle / pace)
	lead, err := b.lead(ctx, t, n)
	if err != nil {
		return nil, Count{}, err
	}
	var late []time.Duration
	var count Count
	err = inTime(lead, func(lead time.Duration) error {
		late, count, err = b.latenessIn(ctx, t, n, lead)
		return err
	})
	return late, count, err
}

// latenessIn is lateness of n jobs, of which the first is due after the lead.
func (b *bench) latenessIn(ctx context.Context, t *target, n int, lead time.Duration) ([]time.Duration, Count, error) {
	begin := time.Now().Add(lead)
	p := steady(n, begin)
	app, l := b.app(), newLedger(n)
	err := b.receive(ctx, t, app, l, func(ctx context.Context) error {
		err := b.fillWith(ctx, t, app, 0, n, func(r *schedulerv1.ScheduleJobRequest, i int) {
			r.Job.DueTime = new(instant(p.due(i, 0)))
		})
		if err == nil && time.Now().After(begin) {
			err = errors.Join(errTooSlow, t.forget(ctx, app))
		}
		if err != nil {
			return err
		}
		b.progress("waiting for each to be due")
		if err := until(ctx, begin.Add(b.cfg.Sizes.Idle)); err != nil {
			return err
		}
		if err := l.wait(ctx, time.Now(), b.cfg.Sizes.Patience); err != nil {
			return err
		}
		return until(ctx, time.Now().Add(b.cfg.Sizes.Linger))
	})
	return l.lateness(p), l.count(p), err
}

// steady returns a plan of n jobs at the steady pace, of which the first is due when it begins.
func steady(n int, begin time.Time) plan {
	return plan{jobs: n, times: 1, due: func(job, _ int) time.Time {
		jitter := time.Duration(job*7919%1000) * pace / 1000 // so that no ticker keeps step
		return begin.Add(time.Duration(job)*pace + jitter).Truncate(time.Microsecond)
	}}
}

// floodJobs is how many jobs an app has that are due every millisecond, and have been for years: as often as they are
// handled.
const floodJobs = 300

// isolation measures what an app that hangs, and one whose jobs are always due, costs another: row 16.
func (b *bench) isolation(ctx context.Context) ([]RowResult, error) {
	return b.with(ctx, func(t *target) ([]RowResult, error) {
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
		null := &Null{Name: "alone", Value: mean(before, after), Values: []float64{before, after}}
		return []RowResult{{
			Row: 16, Measure: fmt.Sprintf("lateness of an app beside one with %d jobs that are always due, p99", floodJobs),
			Value: flooded, Unit: "ms", Bar: atMost(1.5, 1.1), Null: null, Ratio: flooded / mean(before, after),
			Notes: []string{fmt.Sprintf("the jobs that are always due fired %s times a second", format(fired, ""))},
		}, {
			Row: 16, Measure: fmt.Sprintf("lateness of an app beside one that hangs with %s due, p99", format(float64(b.cfg.Sizes.Hung), "")),
			Value: beside, Unit: "ms", Bar: atMost(1.5, 1.1), Count: &total, Detail: details,
			Null: null, Ratio: beside / mean(before, after),
			Notes: []string{fmt.Sprintf("the app that hangs held %s triggers", format(float64(held), ""))},
		}}, nil
	})
}

// besideFlood calls f while another app has jobs that are always due, and handles each trigger at once. It also returns how
// many triggers a second those were.
func (b *bench) besideFlood(ctx context.Context, t *target, f func() (float64, error)) (value, fired float64, err error) {
	b.progress("scheduling jobs that are always due")
	app := b.app()
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
	err = errors.Join(err, patiently(ctx, func() error { return t.forget(ctx, app) }))
	stop()
	return value, fired, errors.Join(err, <-ended)
}

// besideHung calls f while another app has jobs due, and answers none of the triggers that it is sent. It also returns
// how many those were.
func (b *bench) besideHung(ctx context.Context, t *target, f func() (float64, error)) (value float64, held int, err error) {
	b.progress("scheduling for an app that hangs")
	hung := b.app()
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
	return value, held, t.forget(ctx, hung)
}
