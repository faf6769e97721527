package bench

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// warmUp is how long callers call before they are counted.
const warmUp = 300 * time.Millisecond

// load is the result of callers that repeat a call.
type load struct {
	total  int   // calls in all
	each   []int // by caller
	calls  int   // those that ended in the window
	window time.Duration
	cpu    time.Duration // what the server's process used in the window; 0 if it is not known
}

// rate returns calls per second.
func (l load) rate() float64 { return float64(l.calls) / l.window.Seconds() }

// cost returns the server's processor time per call, in microseconds.
func (l load) cost() float64 { return in(time.Microsecond, l.cpu) / float64(max(l.calls, 1)) }

// press has all callers call again and again, for the window after a warm-up. Each counts its calls from 0. The first
// error ends it.
func (b *bench) press(ctx context.Context, p process, call func(ctx context.Context, caller, n int) error) (load, error) {
	window := b.cfg.Sizes.Window
	begin := time.Now().Add(warmUp)
	end := begin.Add(window)
	l := load{window: window, each: make([]int, b.cfg.Callers)}
	var total, counted atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for caller := range b.cfg.Callers {
		g.Go(func() error {
			n, before := 0, 0
			defer func() {
				l.each[caller] = n
				total.Add(int64(n))
			}()
			for {
				now := time.Now()
				if now.Before(begin) {
					before = n
				}
				if !now.Before(end) {
					counted.Add(int64(n - before))
					return nil
				}
				if err := call(ctx, caller, n); err != nil {
					return err
				}
				n++
			}
		})
	}
	g.Go(func() error {
		if err := until(ctx, begin); err != nil {
			return err
		}
		used := p.cpu()
		if err := until(ctx, end); err != nil {
			return err
		}
		l.cpu = p.cpu() - used
		return nil
	})
	err := g.Wait()
	l.total, l.calls = int(total.Load()), int(counted.Load())
	return l, err
}

// each calls with the numbers from 0 to n-1, by all callers at once. The first error ends it.
func (b *bench) each(ctx context.Context, n int, call func(ctx context.Context, caller, i int) error) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for caller := range b.cfg.Callers {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := call(ctx, caller, i); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// until waits for the instant t, or returns an error when ctx ends.
func until(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// sides are figures of a measure, and of a null before and after each.
type sides struct{ nulls, values, ratios []float64 }

// between takes a measure for as many rounds as the sizes say, each between two nulls.
func (b *bench) between(ctx context.Context, null, measure func(context.Context) (float64, error)) (sides, error) {
	var s sides
	before, err := null(ctx)
	if err != nil {
		return s, err
	}
	s.nulls = append(s.nulls, before)
	for range b.cfg.Sizes.Rounds {
		value, err := measure(ctx)
		if err != nil {
			return s, err
		}
		after, err := null(ctx)
		if err != nil {
			return s, err
		}
		s.nulls, s.values = append(s.nulls, after), append(s.values, value)
		s.ratios = append(s.ratios, value/mean(before, after))
		before = after
	}
	return s, nil
}

// into writes s into r.
func (s sides) into(r RowResult, null string) RowResult {
	r.Value, r.Ratio = median(s.values), median(s.ratios)
	r.Null = &Null{Name: null, Value: mean(s.nulls...), Values: s.nulls}
	return r
}

// plus returns what both have seen.
func (s sides) plus(o sides) sides {
	return sides{
		nulls: append(s.nulls, o.nulls...), values: append(s.values, o.values...), ratios: append(s.ratios, o.ratios...),
	}
}
