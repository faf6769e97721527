package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"carillon/internal/engine/storemeta"
	"carillon/internal/pause"
)

// awaitStore reports whether this engine can use the store. It retries while the store does not
// answer, until ctx ends.
func (e *Engine) awaitStore(ctx context.Context) (ok bool, err error) {
	begun := time.Now()
	for wait := minBackoff; ; wait = min(2*wait, time.Second) { // all stored jobs are late meanwhile
		level := slog.LevelError
		if time.Since(begun) < stuckAfter { // the store may be starting as well
			level = slog.LevelInfo
		}
		var other *storemeta.UnusableError
		switch err := e.checkStore(ctx); {
		case err == nil:
			return true, nil
		case ctx.Err() != nil:
			return false, nil //nolint:nilerr // stopped before it has begun
		case errors.As(err, &other):
			return false, err
		default:
			e.log.LogAttrs(ctx, level, "the store's format is not known yet; trying again",
				slog.Any("err", err), slog.Duration("after", wait))
		}
		pause.For(ctx, wait)
	}
}

// checkStore makes sure that the engine can read everything in the store.
func (e *Engine) checkStore(ctx context.Context) error {
	if err := storemeta.CheckFormat(ctx, e.store, e.config.Partitions); err != nil {
		return err
	}
	return e.keyRegister.Check(ctx)
}
