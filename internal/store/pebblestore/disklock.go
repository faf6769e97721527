package pebblestore

import (
	"errors"
	"io"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"

	"carillon/internal/store/datadir"
)

// Lock implements [vfs.FS]. It returns ErrInUse if another process holds the lock. With the lock,
// it checks for damage that Pebble would not detect.
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

// watch starts to guard the directory with this locked lock file, under its real path and its
// configured path: a symbolic link on the way may change.
func (d *disk) watch(lock string) (err error) {
	if d.configuredDir != "" {
		d.guard, err = datadir.Watch(filepath.Join(d.configuredDir, d.PathBase(lock)), d.configuredDir, d.PathDir(lock))
	}
	return err
}

// checkPresent returns [datadir.ErrReplaced] if the directory, or an open log or manifest, was
// replaced.
func (d *disk) checkPresent() error {
	if err := d.guard.Check(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for g := range d.fileGuards {
		if err := g.Check(); err != nil {
			return err
		}
	}
	return nil
}

// checkFiles checks dir for damage, and prepares the manifest checksum.
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
