package pebblestore

import (
	"io"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// privateFS is the operating system's file system, and creates files for this user only. Files need
// that too, because a copied directory may have lost its permissions.
type privateFS struct{ vfs.FS }

// Create implements [vfs.FS].
func (p privateFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := p.FS.Create(name, c)
	if err == nil {
		// Some file systems have no permissions, and then the folder's cannot be relied on either.
		_ = os.Chmod(name, 0o600)
	}
	return f, err
}

// Lock implements [vfs.FS].
func (p privateFS) Lock(name string) (io.Closer, error) {
	// A file that is there is not opened: to close it would end a lock that this process has.
	if f, err := os.OpenFile(filepath.Clean(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
		_ = f.Close() // the lock opens it again
	}
	_ = os.Chmod(name, 0o600) // as for Create; earlier versions made it for everybody to read
	return p.FS.Lock(name)
}

// Unwrap implements [vfs.FS].
func (p privateFS) Unwrap() vfs.FS { return p.FS }
