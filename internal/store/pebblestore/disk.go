package pebblestore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"

	"carillon/internal/store/datadir"
	"carillon/internal/store/diskspace"
)

// retryAfter is how long Pebble waits before it tries again to write a table; left alone it tries in a busy loop.
const writeRetryDelay = time.Second

// A disk is the file system that Pebble sees: the one below until it fails, and after that one that nobody can change.
//
// Pebble ends the process when it cannot write its log or its manifest, in places by a panic with locks held, because
// to go on might lose what was acknowledged. A disk makes both unnecessary. It notes the first such failure, and from
// then on accepts every change and makes none: a flush that believes to be done can no longer delete the log it came
// from, and nobody is told that anything was written, as Commit looks at failure before it acknowledges. To refuse the
// changes would not do, since Pebble has no way back from an error of its log or manifest, and tries all others again
// for ever: an Open would never return.
type disk struct {
	vfs.FS
	scratch       *vfs.MemFS // holds the files made after the failure
	checksum      manifestChecksum
	tornLog       error          // what Lock has found out about the newest log, if it may be damaged
	configuredDir string         // the path of the folder as the operator gave it; empty if FS is not the machine's own
	guard         *datadir.Guard // of the folder, once it is locked; nil if FS is not the machine's own

	failed  chan struct{} // closed once err is set
	once    sync.Once     // sets err
	err     error
	closing chan struct{} // closed when the store closes, so that nobody waits to try again

	mu            sync.Mutex                 // guards the fields below
	logCreated    bool                       // Pebble has begun a log, the first thing that it does when its tables are whole
	dbOpen        bool                       // Pebble has opened
	earlyDamage   error                      // damage that was met before
	criticalFiles map[*criticalFile]struct{} // the logs and manifests that are open
}

func newDisk(fs vfs.FS) *disk {
	return &disk{
		FS: fs, scratch: vfs.NewMem(), checksum: manifestChecksum{prefixes: map[string]prefixSum{}},
		failed: make(chan struct{}), closing: make(chan struct{}), criticalFiles: map[*criticalFile]struct{}{},
	}
}

// fail notes why the disk can no longer be trusted. The first reason stays.
func (d *disk) fail(err error) {
	d.once.Do(func() {
		d.err = err
		close(d.failed)
	})
}

// damage fails the disk because of a damaged table, once Pebble has opened: Pebble panics in an Open that fails while
// tables are read in the background.
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

// open notes that Pebble has opened.
func (d *disk) markOpen() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dbOpen = true
	if d.earlyDamage != nil {
		d.fail(d.earlyDamage)
	}
}

// opening reports whether Pebble is past the beginning of a log in its Open. It may look through tables in the background
// then, and panics if the Open fails.
func (d *disk) opening() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.logCreated && !d.dbOpen
}

// begin notes that Pebble begins a log.
func (d *disk) markLogCreated() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.logCreated = true
}

// look fails the disk if the folder is no longer where it was opened. What uses files by name looks first: a file of that
// name may be of another store, and another process may have that open.
func (d *disk) checkReplaced() {
	if d.failure() != nil {
		return
	}
	if err := d.guard.CheckLock(); err != nil {
		d.fail(err)
	}
}

// usage returns how much is left on the disk that holds the folder, or will hold it once it is made.
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

// hurry ends every wait to try again, now and later.
func (d *disk) cancelRetries() { close(d.closing) }

// change makes one change unless the disk has failed, and then none.
func (d *disk) change(op func() error) error {
	if d.failure() != nil {
		return nil //nolint:nilerr // who looks at failure knows
	}
	return op()
}

// write is change for the content of tables and manifests: after an error it holds the writer back for a while.
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

// vital is change for what Pebble cannot do without: an error fails the disk, and is not passed on.
func (d *disk) changeCritical(what, name string, op func() error) {
	if err := d.change(op); err != nil {
		d.fail(fmt.Errorf("%s %s: %w", what, name, err))
	}
}

func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

// isOptions reports whether a file is that of Pebble's options, under the name that it has until it is whole. Pebble writes it
// at the end of its Open, where it must not fail; see opening.
func isOptions(name string) bool { return strings.HasSuffix(name, ".dbtmp") }

// Create is [vfs.FS.Create].
func (d *disk) Create(name string, c vfs.DiskWriteCategory) (f vfs.File, err error) {
	d.checkReplaced()
	create := func() (err error) { f, err = d.FS.Create(name, c); return err }
	base := d.PathBase(name)
	switch {
	case isLog(name):
		d.markLogCreated()
		return d.createCritical(name, &f, create)
	case isManifest(base):
		made, err := d.createCritical(name, &f, create)
		if v, ok := made.(*criticalFile); ok {
			return &manifestFile{criticalFile: v, name: base}, err
		}
		return made, err
	case isOptions(base):
		return d.createCritical(name, &f, create)
	}
	attempt := d.changeWithDelay
	if _, ok := markerValue(base, checksumMarker); ok {
		attempt = d.change // nobody tries this again and again
	}
	if err := attempt(create); err != nil {
		return nil, err
	}
	if d.failure() == nil {
		d.checksum.fileCreated(base)
	}
	return d.wrap(name, f)
}

// wrap returns f, or a file that goes nowhere if it was not opened, because the disk has failed.
func (d *disk) wrap(name string, f vfs.File) (vfs.File, error) {
	if f == nil {
		return d.scratch.Create(d.PathBase(name), vfs.WriteCategoryUnspecified)
	}
	return &file{File: f, disk: d}, nil
}

// ReuseForWrite is [vfs.FS.ReuseForWrite]. Pebble reuses logs only.
func (d *disk) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (f vfs.File, err error) {
	d.checkReplaced()
	d.updateChecksum(oldname)
	return d.createCritical(newname, &f, func() (err error) { f, err = d.FS.ReuseForWrite(oldname, newname, c); return err })
}

// openVital makes the log or manifest that op puts into f, or, on a disk that has failed, one that goes nowhere.
func (d *disk) createCritical(name string, f *vfs.File, op func() error) (vfs.File, error) {
	d.changeCritical("create", name, op)
	v := &criticalFile{File: *f, disk: d, name: name}
	if d.guard != nil && d.failure() == nil && !isOptions(name) {
		d.changeCritical("watch", name, func() (err error) {
			v.guard, err = datadir.Watch(filepath.Join(d.configuredDir, d.PathBase(name)))
			return err
		})
		d.mu.Lock()
		d.criticalFiles[v] = struct{}{}
		d.mu.Unlock()
	}
	if d.failure() == nil {
		return v, nil
	}
	if *f != nil {
		_ = (*f).Close() // the disk has failed meanwhile, and the failure is known
	}
	return d.scratch.Create(d.PathBase(name), vfs.WriteCategoryUnspecified)
}

// Open is [vfs.FS.Open].
func (d *disk) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if !d.opening() { // then it must not fail
		d.checkReplaced()
		if err := d.failure(); errors.Is(err, datadir.ErrReplaced) {
			return nil, err
		}
	}
	return d.FS.Open(name, opts...)
}

// OpenReadWrite is [vfs.FS.OpenReadWrite].
func (d *disk) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (f vfs.File, err error) {
	d.checkReplaced()
	err = d.changeWithDelay(func() (err error) { f, err = d.FS.OpenReadWrite(name, c, opts...); return err })
	if err != nil {
		return nil, err
	}
	return d.wrap(name, f)
}

// List is [vfs.FS.List]. What Pebble cannot list at the end of its Open it would have removed: that can wait, and the disk
// has failed.
func (d *disk) List(dir string) ([]string, error) {
	names, err := d.FS.List(dir)
	if err != nil && d.opening() {
		d.fail(fmt.Errorf("list %s: %w", dir, err))
		return nil, nil
	}
	return names, err
}

// OpenDir is [vfs.FS.OpenDir].
func (d *disk) OpenDir(name string) (vfs.File, error) {
	f, err := d.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &directory{File: f, disk: d, name: name}, nil
}

// MkdirAll is [vfs.FS.MkdirAll]. What it makes is for this user alone.
func (d *disk) MkdirAll(dir string, perm os.FileMode) error {
	d.checkReplaced()
	return d.change(func() error { return d.FS.MkdirAll(dir, perm&0o700) })
}

// Link is [vfs.FS.Link].
func (d *disk) Link(oldname, newname string) error {
	d.checkReplaced()
	return d.change(func() error { return d.FS.Link(oldname, newname) })
}

// Remove is [vfs.FS.Remove].
func (d *disk) Remove(name string) error {
	d.checkReplaced()
	d.updateChecksum(name)
	return d.change(func() error { return d.FS.Remove(name) })
}

// press presses the seal if a file of this name goes because of what the manifest says. A seal that cannot be pressed is
// out of date, and still right: what it holds is there.
func (d *disk) updateChecksum(name string) {
	if isRemovedByManifest(d.PathBase(name)) && d.failure() == nil {
		_ = d.checksum.update()
	}
}

// RemoveAll is [vfs.FS.RemoveAll].
func (d *disk) RemoveAll(name string) error {
	d.checkReplaced()
	return d.change(func() error { return d.FS.RemoveAll(name) })
}

// Rename is [vfs.FS.Rename].
func (d *disk) Rename(oldname, newname string) error {
	d.checkReplaced()
	if isOptions(oldname) {
		d.changeCritical("rename", oldname, func() error { return d.FS.Rename(oldname, newname) })
		return nil
	}
	return d.change(func() error { return d.FS.Rename(oldname, newname) })
}

// Lock is [vfs.FS.Lock]; it returns ErrInUse for a lock that somebody holds. Once the folder is ours it is looked at for
// damage that Pebble would not notice.
func (d *disk) Lock(name string) (io.Closer, error) {
	c, err := d.FS.Lock(name)
	if err != nil {
		return nil, lockError(err)
	}
	if err := d.watch(name); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if err := d.checkFiles(d.PathDir(name)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// watch begins to watch the folder, whose lock file of that name is locked, at its path and at the one that it was given
// by: a link on the way may be changed.
func (d *disk) watch(lock string) (err error) {
	if d.configuredDir != "" {
		d.guard, err = datadir.Watch(filepath.Join(d.configuredDir, d.PathBase(lock)), d.configuredDir, d.PathDir(lock))
	}
	return err
}

// present returns [datadir.ErrReplaced] if the folder, or a log or manifest in it, is no longer where it was opened.
func (d *disk) checkPresent() error {
	if err := d.guard.Check(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for v := range d.criticalFiles {
		if err := v.guard.Check(); err != nil {
			return err
		}
	}
	return nil
}

// examine looks for damage in dir, and makes the seal ready.
func (d *disk) checkFiles(dir string) error {
	first, err := checkManifest(d, dir)
	if err != nil {
		return err
	}
	if err := checkLogs(d, dir, first); errors.Is(err, errLogTorn) {
		d.tornLog = err
	} else if err != nil {
		return err
	}
	marker, _, err := atomicfs.LocateMarker(d, dir, checksumMarker)
	if err != nil {
		return err
	}
	d.checksum.setMarker(marker)
	return marker.RemoveObsolete()
}

// Unwrap is [vfs.FS.Unwrap].
func (d *disk) Unwrap() vfs.FS { return d.FS }
