//go:build unix

package etcdmember

import "golang.org/x/sys/unix"

// free returns how many bytes the disk that holds dir has left for us.
func free(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}
