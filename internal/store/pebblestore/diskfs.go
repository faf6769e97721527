package pebblestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/store/datadir"
)

// Create implements [vfs.FS].
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

// wrap returns f as a file of the disk. If f is nil, because the disk has failed, it returns a
// scratch file.
func (d *disk) wrap(name string, f vfs.File) (vfs.File, error) {
	if f == nil {
		return d.scratch.Create(d.PathBase(name), vfs.WriteCategoryUnspecified)
	}
	return &file{File: f, disk: d}, nil
}

// ReuseForWrite implements [vfs.FS]. Pebble reuses logs only.
func (d *disk) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (f vfs.File, err error) {
	d.checkReplaced()
	d.updateChecksum(oldname)
	return d.createCritical(newname, &f, func() (err error) { f, err = d.FS.ReuseForWrite(oldname, newname, c); return err })
}

// createCritical creates a log or a manifest with op, which sets f. On a failed disk, it returns a
// scratch file.
func (d *disk) createCritical(name string, f *vfs.File, op func() error) (vfs.File, error) {
	d.changeCritical("create", name, op)
	v := &criticalFile{File: *f, disk: d, name: name}
	if d.guard != nil && d.failure() == nil && !isOptions(name) {
		d.changeCritical("watch", name, func() (err error) {
			v.guard, err = datadir.Watch(filepath.Join(d.configuredDir, d.PathBase(name)))
			return err
		})
		d.mu.Lock()
		d.fileGuards[v.guard] = name
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

// Open implements [vfs.FS].
func (d *disk) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if !d.opening() { // then it must not fail
		d.checkReplaced()
		if err := d.failure(); errors.Is(err, datadir.ErrReplaced) {
			return nil, err
		}
	}
	return d.FS.Open(name, opts...)
}

// OpenReadWrite implements [vfs.FS].
func (d *disk) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (f vfs.File, err error) {
	d.checkReplaced()
	err = d.changeWithDelay(func() (err error) { f, err = d.FS.OpenReadWrite(name, c, opts...); return err })
	if err != nil {
		return nil, err
	}
	return d.wrap(name, f)
}

// List implements [vfs.FS]. At the end of its Open, Pebble lists files to remove obsolete ones,
// which can wait: an error then fails the disk and is not returned.
func (d *disk) List(dir string) ([]string, error) {
	names, err := d.FS.List(dir)
	if err != nil && d.opening() {
		d.fail(fmt.Errorf("list %s: %w", dir, err))
		return nil, nil
	}
	return names, err
}

// OpenDir implements [vfs.FS].
func (d *disk) OpenDir(name string) (vfs.File, error) {
	f, err := d.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &directory{File: f, disk: d, name: name}, nil
}

// MkdirAll implements [vfs.FS]. New directories are for this user only.
func (d *disk) MkdirAll(dir string, perm os.FileMode) error {
	d.checkReplaced()
	return d.change(func() error { return d.FS.MkdirAll(dir, perm&0o700) })
}

// Link implements [vfs.FS].
func (d *disk) Link(oldname, newname string) error {
	d.checkReplaced()
	return d.change(func() error { return d.FS.Link(oldname, newname) })
}

// Remove implements [vfs.FS].
func (d *disk) Remove(name string) error {
	d.checkReplaced()
	d.updateChecksum(name)
	return d.change(func() error { return d.FS.Remove(name) })
}

// updateChecksum updates the manifest checksum before a file with this name is removed because of
// the manifest. If that fails, the checksum is out of date but still correct: it covers less.
func (d *disk) updateChecksum(name string) {
	if isRemovedByManifest(d.PathBase(name)) && d.failure() == nil {
		_ = d.checksum.update()
	}
}

// RemoveAll implements [vfs.FS].
func (d *disk) RemoveAll(name string) error {
	d.checkReplaced()
	return d.change(func() error { return d.FS.RemoveAll(name) })
}

// Rename implements [vfs.FS].
func (d *disk) Rename(oldname, newname string) error {
	d.checkReplaced()
	if isOptions(oldname) {
		d.changeCritical("rename", oldname, func() error { return d.FS.Rename(oldname, newname) })
		return nil
	}
	return d.change(func() error { return d.FS.Rename(oldname, newname) })
}

// Unwrap implements [vfs.FS].
func (d *disk) Unwrap() vfs.FS { return d.FS }
