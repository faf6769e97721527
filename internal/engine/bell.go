package engine

import (
	"context"
	"log/slog"
	"time"

	"carillon/internal/awake"
)

// listen gets the loop a bell if it is to be punctual, and returns what closes it.
func (lp *loop) listen(ctx context.Context) (closeIt func()) {
	if !lp.punctual {
		return func() {}
	}
	bell, err := awake.New(nil)
	if err != nil {
		lp.log.LogAttrs(ctx, slog.LevelWarn, "jobs of an idle node will be up to a millisecond late", slog.Any("err", err))
		return func() {}
	}
	lp.bell = bell
	return func() { _ = bell.Close() }
}

// ring has timers that are to go off in d do so, for which they were set before.
func (lp *loop) ring(d time.Duration) {
	if lp.bell != nil && d > 0 {
		lp.bell.Set(d)
	}
}
