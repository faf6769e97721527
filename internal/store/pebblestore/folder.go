package pebblestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"

	"carillon/internal/store/datadir"
)

// format is the newest format that this release of Pebble writes. What is needed of it came with FormatWALSyncChunks:
// since then a log says how far it was synced, so that a torn log is told from one that ends; before, a log torn in the
// middle read as a clean end, and what followed was silently gone. The formats after it add checksums to table footers.
// A folder only ever moves to a newer format, so raising this is a one-way door for those who upgrade.
const format = pebble.FormatValueSeparation

// formatMarker is the name of Pebble's marker file that says a folder's format.
const formatMarker = "format-version"

// ErrInUse says that somebody holds the lock of the folder.
var ErrInUse = errors.New("another carillon is running on this folder: stop it, or choose another folder")

// locate returns the folder of cfg and its disk. On the machine's own file system the folder has one name only, because
// Pebble keeps a process from opening a folder twice by name.
func locate(cfg Config) (string, *disk, error) {
	if cfg.Dir == "" {
		return "", nil, errors.New("no folder was given: name one")
	}
	if cfg.FS != nil {
		return cfg.Dir, newDisk(cfg.FS), nil
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return "", nil, err
	}
	d := newDisk(privateFS{vfs.Default})
	d.configuredDir = dir
	if followed, err := filepath.EvalSymlinks(dir); err == nil { // otherwise it is to be made
		dir = followed
	}
	return dir, d, nil
}

// inspect refuses a folder that holds something other than a store, or a store that this release cannot read.
func checkDir(f vfs.FS, dir string) error {
	names, err := f.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return withAdvice(err)
	}
	marker, err := atomicfs.ReadMarker(f, dir, formatMarker)
	if err != nil {
		return withAdvice(err)
	}
	if marker == "" {
		for _, name := range names {
			if !isStoreFile(name) {
				return fmt.Errorf("it holds %q, which is not of a store: choose an empty folder", name)
			}
		}
		return nil
	}
	v, err := strconv.ParseUint(marker, 10, 64)
	if err != nil {
		return fmt.Errorf("its format marker reads %q, which no store writes: restore it from a backup", marker)
	}
	if pebble.FormatMajorVersion(v) > format {
		return fmt.Errorf("it is in format %d, and this carillon knows none after %d: use the newer carillon that wrote it", v, format)
	}
	return nil
}

// ours reports whether a store that was cut short while it was being made may have left a file of this name. A folder
// that is a mount point holds lost+found.
func isStoreFile(name string) bool {
	if name == "LOCK" || name == "lost+found" {
		return true
	}
	for _, prefix := range []string{"MANIFEST-", "OPTIONS-", "marker."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	switch filepath.Ext(name) {
	case ".log", ".sst", ".dbtmp":
		return true
	}
	return false
}

// heldLock returns ErrInUse for the error of a lock that somebody holds, and other errors as they are: those come from
// making the lock's file, and say so.
func lockError(err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); err == nil || ok {
		return err
	}
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) || strings.Contains(err.Error(), "lock held by current process") {
		return ErrInUse
	}
	return err
}

// unmade returns why a folder that Pebble should have made is not there, or nil if it is. Pebble itself makes it, as it syncs
// what the folder is in.
func makeDirError(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	return datadir.Make(dir)
}

// explain adds to an error of opening what can be done about it.
func withAdvice(err error) error {
	switch {
	case errors.Is(err, ErrInUse):
		return ErrInUse
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: give this user the right to write there, or choose another folder", err)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: choose a folder", err)
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
