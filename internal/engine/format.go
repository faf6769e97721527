package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/pause"
	"carillon/internal/store"
)

// awaitFormat checks the store's format and reports whether this engine can use the store. It
// retries while the store does not answer, until ctx ends.
func (e *Engine) awaitFormat(ctx context.Context) (ok bool, err error) {
	begun := time.Now()
	for wait := minBackoff; ; wait = min(2*wait, time.Second) { // all stored jobs are late meanwhile
		level := slog.LevelError
		if time.Since(begun) < stuckAfter { // the store may be starting as well
			level = slog.LevelInfo
		}
		var other *formatError
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

// A formatError says that this engine cannot use the store.
type formatError struct{ text string }

func (e *formatError) Error() string { return e.text }

// checkFormat makes sure that the store has this engine's layout. It initializes an empty store.
func (e *Engine) checkFormat(ctx context.Context) error {
	values, err := e.store.Get(ctx, record.FormatKey())
	if err != nil {
		return fmt.Errorf("read the store's format: %w", err)
	}
	got := values[0]
	if got == nil {
		var b store.Batch
		b.Put(record.FormatKey(), record.EncodeFormat(e.config.Partitions))
		if err := e.store.Commit(ctx, &b); err != nil {
			return fmt.Errorf("write the store's format: %w", err)
		}
		return nil
	}
	switch n, ok := record.DecodeFormat(got); {
	case !ok:
		return &formatError{fmt.Sprintf("the store's format is %x, and this version of carillon knows only format %d: use the version that wrote it", got, record.FormatVersion)}
	case n != e.config.Partitions:
		return &formatError{fmt.Sprintf("the store was made with %d partitions and cannot be used with %d", n, e.config.Partitions)}
	}
	return nil
}
