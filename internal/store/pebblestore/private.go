package pebblestore

import (
	"io"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A private is the machine's file system, where what is made is for this user alone. Files are so by themselves, as a folder
// that was copied may have lost what its own permissions forbade.
type privateFS struct{ vfs.FS }

// Create is [vfs.FS.Create].
func (p privateFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := p.FS.Create(name, c)
	if err == nil {
		_ = os.Chmod(name, 0o600) // some file systems have no permissions, and then the folder's cannot be relied on either
	}
	return f, err
}

// Lock is [vfs.FS.Lock].
func (p privateFS) Lock(name string) (io.Closer, error) {
	// A file that is there is not opened: to close it would end a lock that this process has.
	if f, err := os.OpenFile(filepath.Clean(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
		_ = f.Close() // the lock opens it again
	}
	_ = os.Chmod(name, 0o600) // as for Create; earlier versions made it for everybody to read
	return p.FS.Lock(name)
}

// Unwrap is [vfs.FS.Unwrap].
func (p privateFS) Unwrap() vfs.FS { return p.FS }

// shut takes a store's folder from everybody but its owner, if that is us; if it is somebody else's, he decides.
func restrictDir(dir string) {
	if s, err := os.Stat(dir); err == nil && s.Mode().Perm()&0o077 != 0 {
		_ = os.Chmod(dir, s.Mode().Perm()&0o700)
	}
}
