package pebblestore

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// writable returns an error if the file system of the file has stopped writing, even after a
// successful sync.
//
// When ext4 meets an error, it aborts its journal and everything that waits for it: a later sync
// finds nothing to wait for, and succeeds. The file system becomes read-only only some milliseconds
// later, after recording the error on disk; until then nothing else fails. Changing a file's owner
// to the same owner uses the journal: the first change waits until the file system is read-only,
// and the second one fails.
func writable(f vfs.File) error {
	fd := f.Fd()
	if fd == vfs.InvalidFd {
		return nil
	}
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(fd), &s); err != nil {
		return fmt.Errorf("check the file system after a sync: %w", err)
	}
	if s.Type != unix.EXT4_SUPER_MAGIC {
		return nil
	}
	const same = -1
	for range 2 {
		if err := unix.Fchown(int(fd), same, same); err != nil {
			return fmt.Errorf("check whether a sync can be trusted: %w", err)
		}
	}
	return nil
}
