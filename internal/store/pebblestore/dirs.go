package pebblestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"

	"carillon/internal/store/datadir"
)

// format is the newest format of this release of Pebble. A store needs FormatWALSyncChunks or
// later: since then a log says how far it was synced, which distinguishes a torn log from a
// complete one. Before, a log torn in the middle looked complete, and the rest was silently lost.
// Later formats add checksums to table footers. Pebble upgrades a directory on open, irreversibly,
// so raising this prevents a downgrade.
const format = pebble.FormatValueSeparation

// formatMarker is the name of Pebble's marker file with the format of a directory.
const formatMarker = "format-version"

// locate returns the directory of cfg and its disk. On the operating system's file system, it
// resolves symbolic links: Pebble detects by name that a process opens a directory twice.
func locate(cfg Config) (string, *disk, error) {
	if cfg.Dir == "" {
		return "", nil, errors.New("no directory is configured: give one")
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

// checkDir refuses a directory that has something other than a store, or a store in an unknown
// format.
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
				return fmt.Errorf("it has %q, which is not a file of a store: choose an empty directory", name)
			}
		}
		return nil
	}
	v, err := strconv.ParseUint(marker, 10, 64)
	if err != nil {
		return fmt.Errorf("its format marker has the invalid value %q: restore it from a backup", marker)
	}
	if pebble.FormatMajorVersion(v) > format {
		return fmt.Errorf("it has format %d, but this carillon supports formats up to %d: use the newer carillon that wrote it", v, format)
	}
	return nil
}

// isStoreFile reports whether a store whose creation was interrupted may have left a file with this
// name. A directory that is a mount point has lost+found.
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

// makeDirError returns why the directory was not created, or nil if it exists. Pebble creates it
// itself, and syncs its parent.
func makeDirError(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	return datadir.Make(dir)
}

// restrictDir removes the permissions of other users from a store's directory, if this user owns
// it.
func restrictDir(dir string) {
	if s, err := os.Stat(dir); err == nil && s.Mode().Perm()&0o077 != 0 {
		_ = os.Chmod(dir, s.Mode().Perm()&0o700)
	}
}
