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
	err = f.disk.write(func() (err error) { n, err = f.File.Write(p); return err })
	return n, err
}

// WriteAt is [vfs.File.WriteAt].
func (f *file) WriteAt(p []byte, off int64) (n int, err error) {
	n = len(p)
	err = f.disk.write(func() (err error) { n, err = f.File.WriteAt(p, off); return err })
	return n, err
}

// Preallocate is [vfs.File.Preallocate].
func (f *file) Preallocate(offset, length int64) error {
	return f.disk.change(func() error { return f.File.Preallocate(offset, length) })
}

// Sync is [vfs.File.Sync].
func (f *file) Sync() error { return f.disk.write(f.File.Sync) }

// SyncData is [vfs.File.SyncData].
func (f *file) SyncData() error { return f.disk.write(f.File.SyncData) }

// SyncTo is [vfs.File.SyncTo].
func (f *file) SyncTo(length int64) (full bool, err error) {
	full = true
	err = f.disk.write(func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// A vitalFile is a part of the log, or a manifest. It never returns an error: one that matters fails the disk.
type vitalFile struct {
	vfs.File
	disk  *disk
	name  string
	place *datadir.Guard // where it was made; nil if nobody looks
}

// Write is [vfs.File.Write].
func (f *vitalFile) Write(p []byte) (int, error) {
	f.disk.vital("write", f.name, func() error { _, err := f.File.Write(p); return err })
	return len(p), nil
}

// Preallocate is [vfs.File.Preallocate]. It is no more than a help to the disk.
func (f *vitalFile) Preallocate(offset, length int64) error {
	_ = f.disk.change(func() error { return f.File.Preallocate(offset, length) })
	return nil
}

// Sync is [vfs.File.Sync].
func (f *vitalFile) Sync() error {
	f.disk.vital("sync", f.name, func() error { return f.synced(f.File.Sync()) })
	return nil
}

// SyncData is [vfs.File.SyncData].
func (f *vitalFile) SyncData() error {
	f.disk.vital("sync", f.name, func() error { return f.synced(f.File.SyncData()) })
	return nil
}

// synced returns how a sync of f ended: err, or that it cannot be believed, or that the folder or f itself was gone by then.
func (f *vitalFile) synced(err error) error {
	if err = synced(f.File, err); err != nil {
		return err
	}
	if err := f.disk.guard.CheckLock(); err != nil {
		return err
	}
	return f.place.Check()
}

// synced returns how a sync of f ended: err, or that it cannot be believed.
func synced(f vfs.File, err error) error {
	if err != nil {
		return err
	}
	return writable(f)
}

// SyncTo is [vfs.File.SyncTo].
func (f *vitalFile) SyncTo(length int64) (full bool, err error) {
	f.disk.vital("sync", f.name, func() (err error) { full, err = f.File.SyncTo(length); return f.synced(err) })
	return full, nil
}

// Close is [vfs.File.Close]. It closes the file below even on a disk that has failed.
func (f *vitalFile) Close() error {
	f.disk.mu.Lock()
	delete(f.disk.vitals, f)
	f.disk.mu.Unlock()
	err := f.File.Close()
	f.disk.vital("close", f.name, func() error { return err })
	return nil
}

// A folder is one that is open to be synced.
type folder struct {
	vfs.File
	disk *disk
	name string
}

// Sync is [vfs.File.Sync]. An error fails the disk.
func (f *folder) Sync() error {
	named := f.disk.seal.before()
	f.disk.vital("sync the folder", f.name, func() error { return synced(f.File, f.File.Sync()) })
	if f.disk.failure() == nil {
		f.disk.seal.after(named)
	}
	return nil
}
