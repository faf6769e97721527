package pebblestore

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/store/datadir"
	"carillon/internal/store/diskspace"
)

// writeRetryDelay is how long Pebble waits before it retries to write a table; by itself it retries
// in a busy loop.
const writeRetryDelay = time.Second

// disk is Pebble's file system: the one below until a failure, and then one that nothing changes.
//
// Pebble ends the process when it cannot write its log or its manifest, sometimes by a panic with
// locks held, because continuing might lose acknowledged data. disk makes that unnecessary. It
// records the first such failure. From then on, it accepts every change and makes none: a flush
// that seems complete can no longer delete the log that it came from. Nothing is acknowledged
// either, because Commit checks failure first. Refusing the changes would not work: Pebble cannot
// recover from an error of its log or manifest, and retries all other errors forever, so that Open
// would never return.
type disk struct {
	vfs.FS
	scratch       *vfs.MemFS // files that are created after the failure
	checksum      manifestChecksum
	tornLog       error          // from Lock: why the newest log may be damaged
	configuredDir string         // the path as configured; empty if FS is not the operating system's
	guard         *datadir.Guard // of the directory, after its lock; nil if FS is not the operating system's

	failed  chan struct{} // closed once err is set
	once    sync.Once     // sets err
	err     error
	closing chan struct{} // closed by Close, which ends retry delays

	mu sync.Mutex // guards the fields below
	// Pebble has created a log, the first change of its Open after checking its tables.
	logCreated  bool
	dbOpen      bool                      // Pebble's Open has returned
	earlyDamage error                     // a damaged table that was found before
	fileGuards  map[*datadir.Guard]string // of the open logs and manifests, with their names
}

func newDisk(fs vfs.FS) *disk {
	return &disk{
		FS: fs, scratch: vfs.NewMem(), checksum: manifestChecksum{prefixes: map[string]prefixSum{}},
		failed: make(chan struct{}), closing: make(chan struct{}), fileGuards: map[*datadir.Guard]string{},
	}
}

// fail records why the disk can no longer be trusted. The first reason stays.
func (d *disk) fail(err error) {
	d.once.Do(func() {
		d.err = err
		close(d.failed)
	})
}

// damage fails the disk because of a damaged table, but not before Pebble is open: Pebble panics if
// its Open fails while it reads tables in the background.
func (d *disk) damage(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.dbOpen:
		d.fail(err)
	case d.earlyDamage == nil:
		d.earlyDamage = err
	}
}

// markOpen records that Pebble is open.
func (d *disk) markOpen() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dbOpen = true
	if d.earlyDamage != nil {
		d.fail(d.earlyDamage)
	}
}

// opening reports whether Pebble's Open has created a log and not returned. Pebble may then read
// tables in the background, and panics if Open fails.
func (d *disk) opening() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.logCreated && !d.dbOpen
}

// markLogCreated records that Pebble creates a log.
func (d *disk) markLogCreated() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.logCreated = true
}

// checkReplaced fails the disk if the directory was replaced. Every operation by file name calls it
// first: a file of that name may belong to another store, which another process has open.
func (d *disk) checkReplaced() {
	if d.failure() != nil {
		return
	}
	if err := d.guard.CheckLock(); err != nil {
		d.fail(err)
	}
}

// usage returns the free space of the disk that has the directory, or will have it.
func (d *disk) usage(dir string) (diskspace.Usage, error) {
	u, err := d.GetDiskUsage(dir)
	for errors.Is(err, os.ErrNotExist) && dir != d.PathDir(dir) {
		dir = d.PathDir(dir)
		u, err = d.GetDiskUsage(dir)
	}
	return diskspace.Usage{Free: u.AvailBytes, Total: u.TotalBytes}, err
}

// failure returns the reason given to fail, or nil.
func (d *disk) failure() error {
	select {
	case <-d.failed:
		return d.err
	default:
		return nil
	}
}

// cancelRetries ends all retry delays, now and later.
func (d *disk) cancelRetries() { close(d.closing) }

// change makes a change, unless the disk has failed.
func (d *disk) change(op func() error) error {
	if d.failure() != nil {
		return nil //nolint:nilerr // who looks at failure knows
	}
	return op()
}

// changeWithDelay is change for the content of tables and manifests. After an error it delays the
// writer.
func (d *disk) changeWithDelay(op func() error) error {
	err := d.change(op)
	if err == nil {
		return nil
	}
	again := time.NewTimer(writeRetryDelay)
	defer again.Stop()
	select {
	case <-again.C:
	case <-d.closing:
	}
	return err
}

// changeCritical is change for what Pebble cannot work without. An error fails the disk, and is not
// returned.
func (d *disk) changeCritical(what, name string, op func() error) {
	if err := d.change(op); err != nil {
		d.fail(fmt.Errorf("%s %s: %w", what, name, err))
	}
}
