package pebblestore

import (
	"io"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	defaultCacheBytes = 64 << 20
	defaultMemTable   = 16 << 20
	// memTables is the number of memtables from which commits wait for flushes.
	memTables = 4
	// filterBits per key give a false positive rate of 1 %.
	filterBits = 10
	// bottomLevel is the level with most of the data. It has no bloom filters: those of ten million
	// jobs would displace everything else in the cache, or be read from disk, a hundred kilobytes
	// per key.
	bottomLevel = 6
	// slowDisk is how long an operation may take before it is logged as a warning.
	slowDisk = 5 * time.Second
)

// options returns Pebble's options, and a closer to call after closing the database.
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

// Fractions of a small disk for a memtable and its log, and for a manifest.
const (
	memTablePart   = 64
	manifestPart   = 16
	minMemTable    = 256 << 10
	pebbleManifest = 128 << 20 // Pebble's default limit of a manifest
)

// fitToDisk sets the file sizes for a disk of total bytes. There is a log for each memtable, and
// some for reuse: with 16 MiB each, they would fill 64 MiB.
func fitToDisk(opts *pebble.Options, total uint64) {
	opts.MemTableSize = min(opts.MemTableSize, max(minMemTable, total/memTablePart))
	opts.MaxManifestFileSize = int64(min(pebbleManifest, total/manifestPart))
}
