package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Make creates a data directory and its parents, if missing, for this user only. Its error has
// advice.
func Make(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	switch {
	case err == nil:
		return nil
	case dangling(dir) != "":
		return errors.New(dangling(dir))
	case loops(dir):
		return fmt.Errorf("%s has a symbolic link that leads back to itself: remove it, or choose another directory", dir)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: give this user the right to write there, or choose another directory", err)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: choose a directory", err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: free some space", err)
	case errors.Is(err, fs.ErrNotExist): // as in /proc
		return fmt.Errorf("%w: no directory can be created there; choose another", err)
	}
	return err
}

// loops reports whether the symbolic links of a path form a loop.
func loops(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, syscall.ELOOP)
}

// dangling describes the part of a path that is a symbolic link to a missing file, or returns "".
func dangling(path string) string {
	for {
		if to, err := os.Readlink(path); err == nil {
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				return fmt.Sprintf("%s is a symbolic link to %s, which does not exist: create that directory, or remove the link", path, to)
			}
		}
		if parent := filepath.Dir(path); parent != path {
			path = parent
			continue
		}
		return ""
	}
}
