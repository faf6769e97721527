package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"carillon/internal/engine/storemeta"
	"carillon/internal/pause"
)

// finalTurns is how long a loop that stops goes on recording outcomes.
const finalTurns = time.Second

// run runs turns until ctx ends. After an error it is unknown what the store has applied. The loop
// then resets its machine, and claims and loads its partitions again; other loops are not affected.
func (lp *loop) run(ctx context.Context) {
	defer lp.inbox.close()
	defer lp.openWaker(ctx)()
	steady := context.WithoutCancel(ctx) // a turn that has begun is completed
	for wait := minBackoff; ctx.Err() == nil; wait = min(2*wait, maxBackoff) {
		lp.loadedAny = false
		lp.watchdog.running.Store(true)
		err := lp.turns(ctx, steady)
		lp.watchdog.running.Store(false)
		lp.loseOwnerships()
		if err == nil {
			return
		}
		if lp.loadedAny && !errors.Is(err, storemeta.ErrMissingKey) { // loading does not need the missing key
			wait = minBackoff
		}
		lp.log.LogAttrs(ctx, slog.LevelError, "the partitions will be loaded afresh",
			slog.Any("err", err), slog.Duration("after", wait))
		pause.For(ctx, wait)
	}
}

// turns runs a turn whenever there is something to do. After ctx has ended, final turns record the
// outcomes that have arrived, so that their triggers are not delivered again, and fire nothing.
func (lp *loop) turns(ctx, steady context.Context) error {
	limit := lp.turnLimits()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		lp.watchdog.beginTurn()
		if err := lp.turn(steady, lp.wall(), limit); err != nil {
			return err
		}
		if lp.inbox.busy() {
			continue
		}
		sleep, due, ok := lp.nextTurn()
		lp.watchdog.endTurn(lp.wall(), due, ok && !due.IsZero())
		if ok {
			timer.Reset(sleep)
			lp.wakeIn(sleep)
		} else {
			timer.Stop()
		}
		select {
		case <-lp.inbox.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	limit.fires, limit.firesInCommit = 0, 0
	for begin := time.Now(); ; {
		if err := lp.turn(steady, lp.wall(), limit); err != nil {
			return err
		}
		if outcomes, _ := lp.inbox.waiting(); outcomes == 0 || time.Since(begin) > finalTurns {
			return nil
		}
	}
}

// nextTurn returns how long there is nothing to do, and when a job is due then. due is zero if
// something other than a job is to be done. ok is false if there is nothing to wait for.
func (lp *loop) nextTurn() (sleep time.Duration, due time.Time, ok bool) {
	if due, ok = lp.machine.Next(); ok && lp.degraded.paused() {
		due, ok = time.Time{}, false
	}
	if ok {
		sleep = min(due.Sub(lp.wall()), maxSleep)
	}
	now := lp.elapsed()
	wake := func(at time.Duration) {
		if !ok || at-now < sleep {
			sleep, due, ok = at-now, time.Time{}, true
		}
	}
	if len(lp.degraded.kept) > 0 {
		wake(lp.degraded.retryAt)
	}
	for _, o := range lp.ownerships {
		if o.releaseAt != 0 {
			wake(o.releaseAt)
		}
	}
	return sleep, due, ok
}
