package pebblestore

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// writable returns an error if the file is on a file system that has stopped to write, whatever a sync of it has said.
//
// When ext4 meets an error it gives up its journal, and all that waits for the journal with it: a sync that looks a moment
// later finds nothing left to wait for, and says that it went well. The file system calls itself read-only only after it
// has noted the error on the disk, some milliseconds later, and until then nothing else refuses. A change of a file's
// owner to what it is already asks the journal: the first one waits until the file system has become read-only, and the
// second one is told.
func writable(f vfs.File) error {
	fd := f.Fd()
	if fd == vfs.InvalidFd {
		return nil
	}
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(fd), &s); err != nil {
		return fmt.Errorf("find out about the file system after a sync: %w", err)
	}
	if s.Type != unix.EXT4_SUPER_MAGIC {
		return nil
	}
	const same = -1
	for range 2 {
		if err := unix.Fchown(int(fd), same, same); err != nil {
			return fmt.Errorf("find out whether a sync can be believed: %w", err)
		}
	}
	return nil
}
