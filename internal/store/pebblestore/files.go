package pebblestore

import (
	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/store/datadir"
)

// A file is a table or another small file on a disk. On one that has failed it takes everything, and throws it away.
type file struct {
	vfs.File
	disk *disk
}

// Write is [vfs.File.Write].
func (f *file) Write(p []byte) (n int, err error) {
	n = len(p)
	err = f.disk.changeWithDelay(func() (err error) { n, err = f.File.Write(p); return err })
	return n, err
}

// WriteAt is [vfs.File.WriteAt].
func (f *file) WriteAt(p []byte, off int64) (n int, err error) {
	n = len(p)
	err = f.disk.changeWithDelay(func() (err error) { n, err = f.File.WriteAt(p, off); return err })
	return n, err
}

// Preallocate is [vfs.File.Preallocate].
func (f *file) Preallocate(offset, length int64) error {
	return f.disk.change(func() error { return f.File.Preallocate(offset, length) })
}

// Sync is [vfs.File.Sync].
func (f *file) Sync() error { return f.disk.changeWithDelay(f.File.Sync) }

// SyncData is [vfs.File.SyncData].
func (f *file) SyncData() error { return f.disk.changeWithDelay(f.File.SyncData) }

// SyncTo is [vfs.File.SyncTo].
func (f *file) SyncTo(length int64) (full bool, err error) {
	full = true
	err = f.disk.changeWithDelay(func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// A vitalFile is a part of the log, or a manifest. It never returns an error: one that matters fails the disk.
type criticalFile struct {
	vfs.File
	disk  *disk
	name  string
	guard *datadir.Guard // where it was made; nil if nobody looks
}

// Write is [vfs.File.Write].
func (f *criticalFile) Write(p []byte) (int, error) {
	f.disk.changeCritical("write", f.name, func() error { _, err := f.File.Write(p); return err })
	return len(p), nil
}

// Preallocate is [vfs.File.Preallocate]. It is no more than a help to the disk.
func (f *criticalFile) Preallocate(offset, length int64) error {
	_ = f.disk.change(func() error { return f.File.Preallocate(offset, length) })
	return nil
}

// Sync is [vfs.File.Sync].
func (f *criticalFile) Sync() error {
	f.disk.changeCritical("sync", f.name, func() error { return f.checkSynced(f.File.Sync()) })
	return nil
}

// SyncData is [vfs.File.SyncData].
func (f *criticalFile) SyncData() error {
	f.disk.changeCritical("sync", f.name, func() error { return f.checkSynced(f.File.SyncData()) })
	return nil
}

// synced returns how a sync of f ended: err, or that it cannot be believed, or that the folder or f itself was gone by then.
func (f *criticalFile) checkSynced(err error) error {
	if err = checkSync(f.File, err); err != nil {
		return err
	}
	if err := f.disk.guard.CheckLock(); err != nil {
		return err
	}
	return f.guard.Check()
}

// synced returns how a sync of f ended: err, or that it cannot be believed.
func checkSync(f vfs.File, err error) error {
	if err != nil {
		return err
	}
	return writable(f)
}

// SyncTo is [vfs.File.SyncTo].
func (f *criticalFile) SyncTo(length int64) (full bool, err error) {
	f.disk.changeCritical("sync", f.name, func() (err error) { full, err = f.File.SyncTo(length); return f.checkSynced(err) })
	return full, nil
}

// Close is [vfs.File.Close]. It closes the file below even on a disk that has failed.
func (f *criticalFile) Close() error {
	f.disk.mu.Lock()
	delete(f.disk.criticalFiles, f)
	f.disk.mu.Unlock()
	err := f.File.Close()
	f.disk.changeCritical("close", f.name, func() error { return err })
	return nil
}

// A folder is one that is open to be synced.
type directory struct {
	vfs.File
	disk *disk
	name string
}

// Sync is [vfs.File.Sync]. An error fails the disk.
func (f *directory) Sync() error {
	named := f.disk.checksum.namedManifest()
	f.disk.changeCritical("sync the folder", f.name, func() error { return checkSync(f.File, f.File.Sync()) })
	if f.disk.failure() == nil {
		f.disk.checksum.dirSynced(named)
	}
	return nil
}
