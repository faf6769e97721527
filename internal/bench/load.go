package bench

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// warmUp is how long callers call before their calls are counted.
const warmUp = 300 * time.Millisecond

// loadResult is the result of callers that repeat a call.
type loadResult struct {
	total    int   // number of calls, warm-up included
	byCaller []int // number of calls by caller
	calls    int   // number of calls in the window
	window   time.Duration
	cpu      time.Duration // of the server's process in the window; 0 if it is unknown
}

// rate returns the calls per second.
func (l loadResult) rate() float64 { return float64(l.calls) / l.window.Seconds() }

// cost returns the server's processor time per call, in microseconds.
func (l loadResult) cost() float64 { return in(time.Microsecond, l.cpu) / float64(max(l.calls, 1)) }

// runLoad has all callers repeat a call for the window, after a warm-up. Each caller counts its
// calls from 0. The first error ends all.
func (b *bench) runLoad(ctx context.Context, p process, call func(ctx context.Context, caller, n int) error) (loadResult, error) {
	window := b.cfg.Sizes.Window
	begin := time.Now().Add(warmUp)
	end := begin.Add(window)
	l := loadResult{window: window, byCaller: make([]int, b.cfg.Callers)}
	var total, counted atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for caller := range b.cfg.Callers {
		g.Go(func() error {
			n, before := 0, 0
			defer func() {
				l.byCaller[caller] = n
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

// inParallel has all callers together make the calls 0 to n-1. The first error ends all.
func (b *bench) inParallel(ctx context.Context, n int, call func(ctx context.Context, caller, i int) error) error {
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
