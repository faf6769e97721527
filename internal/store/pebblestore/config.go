package pebblestore

import (
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Config configures a store. Only Dir is required.
type Config struct {
	// Dir is the data directory, which is created if missing. Its file system must keep synced
	// data.
	Dir string
	// FS is the file system of Dir; nil means that of the operating system.
	FS vfs.FS
	// CacheBytes is the size of the block cache; 0 means 64 MiB.
	CacheBytes int64
	// MemTableBytes is the size of a memtable; 0 means 16 MiB. There are up to four, which take
	// space from the block cache. A batch larger than half a memtable is slower. On a disk of less
	// than 1 GiB, a memtable is at most a 64th of the disk.
	MemTableBytes int64
	// MaxFiles is about the maximum number of open files; 0 means 1,000. The minimum is 74.
	MaxFiles int
	// NoTickers disables the periodic work of [Store.Wait] and of Pebble: the detection of a slow
	// disk, and a check ten times a second for compactions to start (one also starts after each
	// flush). It is for tests in fake time, where only tickers would prevent years from passing at
	// once.
	NoTickers bool
}
