package pebblestore

import (
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// writable returns an error if the file is on a file system that can be read alone. Linux makes ext4 read-only when it
// meets an error, and from then on says that a sync went well which has done nothing.
func writable(f vfs.File) error {
	fd := f.Fd()
	if fd == vfs.InvalidFd {
		return nil
	}
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(fd), &s); err != nil {
		return err
	}
	if s.Flags&unix.ST_RDONLY != 0 {
		return unix.EROFS
	}
	return nil
}
