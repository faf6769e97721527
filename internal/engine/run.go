package engine

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"carillon/internal/pause"
)

// Run fires what is due until ctx ends, and then returns nil. From then on calls get
// [job.ErrUnavailable]. It returns an error at once if the store has another format or other
// partitions.
func (e *Engine) Run(ctx context.Context) error {
	if ok, err := e.awaitStore(ctx); !ok {
		for _, lp := range e.loops {
			lp.inbox.close()
		}
		return err
	}
	close(e.storeChecked)
	var loops, others sync.WaitGroup
	for _, lp := range e.loops {
		loops.Go(func() { lp.run(ctx) })
	}
	others.Go(func() { e.watchClock(ctx) })
	others.Go(func() { e.quarantine.Run(ctx) })
	if e.config.Keys != nil {
		others.Go(func() { e.keyRegister.WatchFile(ctx) })
		others.Go(func() { e.runReencryption(ctx) })
	}
	owning, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	if !e.config.Shared {
		for p := range e.loopOf {
			e.loopOf[p].inbox.setLoading(p)
			others.Go(func() { e.RunPartition(owning, p, soleClaim{}) })
		}
	}
	loops.Wait()
	e.givenUp.Close(ctx)
	end()
	others.Wait()
	return nil
}

// watchClock wakes all loops when the wall clock has been stepped: their timers follow the
// monotonic one.
func (e *Engine) watchClock(ctx context.Context) {
	const period, tolerance = time.Minute, 10 * time.Millisecond
	for before := e.config.Now(); ; {
		pause.For(ctx, period)
		if ctx.Err() != nil {
			return
		}
		now := e.config.Now()
		step := now.Round(0).Sub(before.Round(0)) - now.Sub(before) //nolint:forbidigo // difference between the two clocks
		if step.Abs() > tolerance {
			e.log.LogAttrs(ctx, slog.LevelWarn, "the clock was stepped", slog.Duration("by", step))
			for _, lp := range e.loops {
				lp.inbox.wakeLoop()
			}
		}
		before = now
	}
}
