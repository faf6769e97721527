package pebblestore

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/store"
)

const (
	defaultCacheBytes = 64 << 20
	defaultMemTable   = 16 << 20
	// memTables is how many may wait to be written out before commits wait for them.
	memTables = 4
	// filterBits to a key let one absent key in a hundred cost a look at a block.
	filterBits = 10
	// lowest is the level that holds nearly everything, and has no filters: those of ten million jobs would push all else
	// out of the cache, and be read again from disk, a hundred kilobytes at a time, for one key.
	bottomLevel = 6
	// slowDisk is how long one operation may take before it is worth a warning.
	slowDisk = 5 * time.Second
)

// options returns what Pebble is opened with, and what must be closed after it.
func options(cfg Config, dir string, d *disk, log *slog.Logger) (*pebble.Options, io.Closer) {
	l := logger{log: log, disk: d}
	events := l.events()
	opts := &pebble.Options{
		FS:                          d,
		FormatMajorVersion:          format,
		CacheSize:                   defaultCacheBytes,
		MemTableSize:                defaultMemTable,
		MemTableStopWritesThreshold: memTables,
		MaxOpenFiles:                cfg.MaxFiles,
		Logger:                      l,
		EventListener:               &events,
	}
	if cfg.CacheBytes > 0 {
		opts.CacheSize = cfg.CacheBytes
	}
	if cfg.MemTableBytes > 0 {
		opts.MemTableSize = uint64(cfg.MemTableBytes)
	}
	if u, err := d.usage(dir); err == nil && u.Total > 0 {
		fitToDisk(opts, u.Total)
	}
	for i := range bottomLevel {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
	}
	opts.Levels[bottomLevel].FilterPolicy = pebble.NoFilterPolicy
	if cfg.NoTickers {
		opts.Experimental.CompactionScheduler = pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()
		return opts, io.NopCloser(nil)
	}
	var health io.Closer
	opts.FS, health = vfs.WithDiskHealthChecks(d, slowDisk, nil, func(i vfs.DiskSlowInfo) { events.DiskSlow(i) })
	return opts, health
}

// The parts of a small disk that a memtable, with the log of it, and a manifest may take.
const (
	memTablePart   = 64
	manifestPart   = 16
	minMemTable    = 256 << 10
	pebbleManifest = 128 << 20 // what Pebble allows a manifest
)

// fit makes the files of a store fit a disk of that size. There are a log for each memtable, and some to be used again: with
// 16 MiB for each they would fill 64 MiB.
func fitToDisk(opts *pebble.Options, total uint64) {
	opts.MemTableSize = min(opts.MemTableSize, max(minMemTable, total/memTablePart))
	opts.MaxManifestFileSize = int64(min(pebbleManifest, total/manifestPart))
}

// A logger passes on what Pebble has to say. What Pebble calls fatal fails the disk, and it may carry on: it can no
// longer do harm.
type logger struct {
	log  *slog.Logger
	disk *disk
}

// Infof is [pebble.Logger.Infof].
func (l logger) Infof(format string, args ...any) {
	ctx := context.Background() //nolint:forbidigo // Pebble has none to give, and no level depends on it
	if l.log.Enabled(ctx, store.LevelTrace) {
		l.log.LogAttrs(ctx, store.LevelTrace, "pebble", slog.String("event", fmt.Sprintf(format, args...)))
	}
}

// Errorf is [pebble.Logger.Errorf].
func (l logger) Errorf(format string, args ...any) {
	l.log.Error("pebble met an error", slog.String("err", fmt.Sprintf(format, args...)))
}

// Fatalf is [pebble.Logger.Fatalf]. It returns, which Pebble does not expect; see disk.
func (l logger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	l.disk.fail(err)
	l.log.Error("pebble cannot go on", slog.Any("err", err))
}

// events returns a listener that logs everything, and what an operator should know as a warning.
func (l logger) events() pebble.EventListener {
	e := pebble.MakeLoggingEventListener(l)
	e.BackgroundError = func(err error) {
		l.log.Warn("work in the background failed and is tried again", slog.Any("err", err))
	}
	e.DiskSlow = func(i pebble.DiskSlowInfo) {
		l.log.Warn("the disk is slow", slog.String("event", i.String()))
	}
	e.LowDiskSpace = func(i pebble.LowDiskSpaceInfo) {
		l.log.Warn("the disk is nearly full", slog.String("event", i.String()))
	}
	e.WriteStallBegin = func(i pebble.WriteStallBeginInfo) {
		l.log.Warn("commits wait for the disk", slog.String("event", i.String()))
	}
	e.WriteStallEnd = func() { l.log.Info("commits go on") }
	e.PossibleAPIMisuse = func(i pebble.PossibleAPIMisuseInfo) {
		l.log.Error("pebble is used wrongly", slog.String("event", i.String()))
	}
	e.DataCorruption = func(i pebble.DataCorruptionInfo) {
		err := fmt.Errorf("damaged table: %s", i)
		l.disk.damage(err)
		l.log.Error("pebble cannot go on", slog.Any("err", err))
	}
	return e
}
