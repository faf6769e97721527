package etcdmember

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"

	"carillon/internal/store/datadir"
)

// lockFile is the file whose lock reserves a data directory for one process. Etcd locks its WAL and
// database too, but waits for those locks forever.
const lockFile = "LOCK"

var errInUse = errors.New("another carillon is running on this directory: stop it, or choose another directory")

// dataDir is the locked data directory of a member.
type dataDir struct {
	dir   string
	lock  *fileutil.LockedFile
	guard *datadir.Guard // nil until watch
}

// lockDir creates the directory if it is missing, and locks it.
func lockDir(dir string) (*dataDir, error) {
	if err := datadir.Make(dir); err != nil {
		return nil, err
	}
	name := filepath.Join(dir, lockFile)
	f, err := fileutil.TryLockFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if errors.Is(err, fileutil.ErrLocked) {
		return nil, errInUse
	}
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	return &dataDir{dir: dir, lock: f}, nil
}

// watch starts to guard the directory and those that etcd has created in it. It does not guard the
// database file, which etcd replaces.
func (f *dataDir) watch() (err error) {
	member := filepath.Join(f.dir, "member")
	f.guard, err = datadir.Watch(filepath.Join(f.dir, lockFile), f.dir, filepath.Join(member, "wal"), filepath.Join(member, "snap"))
	return err
}

func (f *dataDir) close() error { return errors.Join(f.guard.Close(), f.lock.Close()) }
