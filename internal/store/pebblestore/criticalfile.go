package pebblestore

import (
	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/store/datadir"
)

// criticalFile is a log or a manifest. It never returns an error: an error fails the disk.
type criticalFile struct {
	vfs.File
	disk  *disk
	name  string
	guard *datadir.Guard // of its path; nil without guards
}

// Write implements [vfs.File].
func (f *criticalFile) Write(p []byte) (int, error) {
	f.disk.changeCritical("write", f.name, func() error { _, err := f.File.Write(p); return err })
	return len(p), nil
}

// Preallocate implements [vfs.File]. It is only an optimization, so errors are ignored.
func (f *criticalFile) Preallocate(offset, length int64) error {
	_ = f.disk.change(func() error { return f.File.Preallocate(offset, length) })
	return nil
}

// Sync implements [vfs.File].
func (f *criticalFile) Sync() error {
	f.disk.changeCritical("sync", f.name, func() error { return f.checkSynced(f.File.Sync()) })
	return nil
}

// SyncData implements [vfs.File].
func (f *criticalFile) SyncData() error {
	f.disk.changeCritical("sync", f.name, func() error { return f.checkSynced(f.File.SyncData()) })
	return nil
}

// checkSynced returns err, the result of a sync, or why the sync cannot be trusted: the file system
// has failed, or the directory or the file was replaced.
func (f *criticalFile) checkSynced(err error) error {
	if err = checkSync(f.File, err); err != nil {
		return err
	}
	if err := f.disk.guard.CheckLock(); err != nil {
		return err
	}
	return f.guard.Check()
}

// checkSync returns err, the result of a sync, or why the sync cannot be trusted.
func checkSync(f vfs.File, err error) error {
	if err != nil {
		return err
	}
	return writable(f)
}

// SyncTo implements [vfs.File].
func (f *criticalFile) SyncTo(length int64) (full bool, err error) {
	f.disk.changeCritical("sync", f.name, func() (err error) { full, err = f.File.SyncTo(length); return f.checkSynced(err) })
	return full, nil
}

// Close implements [vfs.File]. It closes the file below even on a failed disk.
func (f *criticalFile) Close() error {
	f.disk.mu.Lock()
	delete(f.disk.fileGuards, f.guard)
	f.disk.mu.Unlock()
	err := f.File.Close()
	f.disk.changeCritical("close", f.name, func() error { return err })
	return nil
}
