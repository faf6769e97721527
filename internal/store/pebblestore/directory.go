package pebblestore

import (
	"github.com/cockroachdb/pebble/v2/vfs"
)

// directory is an open directory, for syncing.
type directory struct {
	vfs.File
	disk *disk
	name string
}

// Sync implements [vfs.File]. An error fails the disk.
func (f *directory) Sync() error {
	named := f.disk.checksum.namedManifest()
	f.disk.changeCritical("sync the directory", f.name, func() error { return checkSync(f.File, f.File.Sync()) })
	if f.disk.failure() == nil {
		f.disk.checksum.dirSynced(named)
	}
	return nil
}
