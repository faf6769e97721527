package engine

import (
	"context"
	"log/slog"
	"time"

	"carillon/internal/timerfd"
)

// openWaker opens the waker of a punctual loop, and returns the function that closes it.
func (lp *loop) openWaker(ctx context.Context) (closeIt func()) {
	if !lp.punctual {
		return func() {}
	}
	waker, err := timerfd.New(nil)
	if err != nil {
		lp.log.LogAttrs(ctx, slog.LevelWarn, "jobs of an idle node will be up to a millisecond late", slog.Any("err", err))
		return func() {}
	}
	lp.waker = waker
	return func() { _ = waker.Close() }
}

// wakeIn makes the waker wake the process in d, so that a timer that the caller has set fires in
// time.
func (lp *loop) wakeIn(d time.Duration) {
	if lp.waker != nil && d > 0 {
		lp.waker.Set(d)
	}
}
