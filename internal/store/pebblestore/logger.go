package pebblestore

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"

	"carillon/internal/store"
)

// logger passes on Pebble's messages. After a fatal message the disk fails, and Pebble may
// continue: it can do no more harm.
type logger struct {
	log  *slog.Logger
	disk *disk
}

// Infof implements [pebble.Logger].
func (l logger) Infof(format string, args ...any) {
	ctx := context.Background() //nolint:forbidigo // Pebble has none to give, and no level depends on it
	if l.log.Enabled(ctx, store.LevelTrace) {
		l.log.LogAttrs(ctx, store.LevelTrace, "pebble", slog.String("event", fmt.Sprintf(format, args...)))
	}
}

// Errorf implements [pebble.Logger].
func (l logger) Errorf(format string, args ...any) {
	l.log.Error("pebble reported an error", slog.String("err", fmt.Sprintf(format, args...)))
}

// Fatalf implements [pebble.Logger]. Unlike others it returns; see disk.
func (l logger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	l.disk.fail(err)
	l.log.Error("pebble failed", slog.Any("err", err))
}

// nearlyFull is how many free bytes of a disk deserve a warning. Pebble reports percentages of the
// disk, and a tenth of a large one holds more than a store ever needs.
const nearlyFull = 4 << 30

// events returns a listener that logs all events at trace level, and those for an operator as
// warnings.
func (l logger) events() pebble.EventListener {
	e := pebble.MakeLoggingEventListener(l)
	e.BackgroundError = func(err error) {
		l.log.Warn("background work of the store failed; retrying", slog.Any("err", err))
	}
	e.DiskSlow = func(i pebble.DiskSlowInfo) {
		l.log.Warn("the disk is slow", slog.String("event", i.String()))
	}
	e.LowDiskSpace = func(i pebble.LowDiskSpaceInfo) {
		event := slog.String("event", i.String())
		if i.AvailBytes >= nearlyFull {
			l.log.Info("a small part of the disk is free", event)
			return
		}
		l.log.Warn("the disk is nearly full", event)
	}
	e.WriteStallBegin = func(i pebble.WriteStallBeginInfo) {
		l.log.Warn("commits are waiting for the disk", slog.String("event", i.String()))
	}
	e.WriteStallEnd = func() { l.log.Info("commits continue") }
	e.PossibleAPIMisuse = func(i pebble.PossibleAPIMisuseInfo) {
		l.log.Error("pebble reported API misuse", slog.String("event", i.String()))
	}
	e.DataCorruption = func(i pebble.DataCorruptionInfo) {
		err := fmt.Errorf("damaged table: %s", i)
		l.disk.damage(err)
		l.log.Error("pebble failed", slog.Any("err", err))
	}
	return e
}
