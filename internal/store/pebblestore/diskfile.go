package pebblestore

import (
	"github.com/cockroachdb/pebble/v2/vfs"
)

// file is a table or another file whose errors Pebble handles. On a failed disk it discards all
// writes.
type file struct {
	vfs.File
	disk *disk
}

// Write implements [vfs.File].
func (f *file) Write(p []byte) (n int, err error) {
	n = len(p)
	err = f.disk.changeWithDelay(func() (err error) { n, err = f.File.Write(p); return err })
	return n, err
}

// WriteAt implements [vfs.File].
func (f *file) WriteAt(p []byte, off int64) (n int, err error) {
	n = len(p)
	err = f.disk.changeWithDelay(func() (err error) { n, err = f.File.WriteAt(p, off); return err })
	return n, err
}

// Preallocate implements [vfs.File].
func (f *file) Preallocate(offset, length int64) error {
	return f.disk.change(func() error { return f.File.Preallocate(offset, length) })
}

// Sync implements [vfs.File].
func (f *file) Sync() error { return f.disk.changeWithDelay(f.File.Sync) }

// SyncData implements [vfs.File].
func (f *file) SyncData() error { return f.disk.changeWithDelay(f.File.SyncData) }

// SyncTo implements [vfs.File].
func (f *file) SyncTo(length int64) (full bool, err error) {
	full = true
	err = f.disk.changeWithDelay(func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}
