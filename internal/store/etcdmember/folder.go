package etcdmember

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"

	"carillon/internal/store/datadir"
)

// lockFile is the file in a member's folder by which one process has the folder at a time. Etcd has locks on its log and
// on its data, too, but waits for those for ever.
const lockFile = "LOCK"

var errInUse = errors.New("another carillon is running on this folder: stop it, or choose another folder")

// A folder is that of a member, locked.
type dataDir struct {
	dir   string
	lock  *fileutil.LockedFile
	guard *datadir.Guard // nil until watch
}

// lock makes the folder if it is missing, and locks it.
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
		return nil, fmt.Errorf("lock the folder: %w", err)
	}
	return &dataDir{dir: dir, lock: f}, nil
}

// watch begins to watch the folder, in which etcd has made its own. The data file is not watched: etcd replaces it.
func (f *dataDir) watch() (err error) {
	member := filepath.Join(f.dir, "member")
	f.guard, err = datadir.Watch(filepath.Join(f.dir, lockFile), f.dir, filepath.Join(member, "wal"), filepath.Join(member, "snap"))
	return err
}

func (f *dataDir) close() error { return errors.Join(f.guard.Close(), f.lock.Close()) }
