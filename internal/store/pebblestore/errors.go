package pebblestore

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"

	"carillon/internal/store/datadir"
)

// ErrInUse means that another process holds the lock of the directory.
var ErrInUse = errors.New("another carillon is running on this directory: stop it, or choose another directory")

// errDamaged is the error of a directory that does not have what was written to it.
var errDamaged = errors.New("the data is damaged; restore it from a backup")

// lockError returns ErrInUse if err means that another process holds the lock. It returns errors of
// creating the lock file as they are.
func lockError(err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); err == nil || ok {
		return err
	}
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) || strings.Contains(err.Error(), "lock held by current process") {
		return ErrInUse
	}
	return err
}

// withAdvice adds advice to an error of Open.
func withAdvice(err error) error {
	switch {
	case errors.Is(err, ErrInUse):
		return ErrInUse
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: give this user the right to write there, or choose another directory", err)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: choose a directory", err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: free some space", err)
	case errors.Is(err, errDamaged), errors.Is(err, datadir.ErrReplaced):
		return err
	case pebble.IsCorruptionError(err), errors.Is(err, fs.ErrNotExist), strings.Contains(err.Error(), "size mismatch"):
		return fmt.Errorf("%w: %w", err, errDamaged)
	default:
		return err
	}
}
