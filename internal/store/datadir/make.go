package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Make makes a data directory, and the directories that it is in, if it is missing: for this user alone. The error says
// what to do.
func Make(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	switch {
	case err == nil:
		return nil
	case dangling(dir) != "":
		return errors.New(dangling(dir))
	case loops(dir):
		return fmt.Errorf("%s leads through a symbolic link that leads back to itself: remove it, or choose another folder", dir)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: give this user the right to write there, or choose another folder", err)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: choose a folder", err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: free some space", err)
	case errors.Is(err, fs.ErrNotExist): // as in /proc
		return fmt.Errorf("%w: no folder can be made there, choose another", err)
	}
	return err
}

// loops reports whether the symbolic links of a path have no end.
func loops(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, syscall.ELOOP)
}

// dangling says which part of a path is a symbolic link that leads nowhere, or nothing if none is.
func dangling(path string) string {
	for {
		if to, err := os.Readlink(path); err == nil {
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				return fmt.Sprintf("%s is a symbolic link to %s, which is not there: make that folder, or remove the link", path, to)
			}
		}
		if parent := filepath.Dir(path); parent != path {
			path = parent
			continue
		}
		return ""
	}
}
