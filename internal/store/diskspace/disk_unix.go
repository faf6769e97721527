//go:build unix

package diskspace

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Of returns the usage of the disk that has the directory, or will have it.
func Of(dir string) (Usage, error) {
	var s unix.Statfs_t
	err := unix.Statfs(dir, &s)
	for err == unix.ENOENT && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		err = unix.Statfs(dir, &s)
	}
	if err != nil {
		return Usage{}, err
	}
	return Usage{Free: s.Bavail * uint64(s.Bsize), Total: s.Blocks * uint64(s.Bsize)}, nil
}
