package datadir_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"carillon/internal/store/datadir"
)

// watched returns a data directory with a lock and a guard of both.
func watched(t *testing.T) (dir, lock string, g *datadir.Guard) {
	t.Helper()
	dir = t.TempDir()
	lock = filepath.Join(dir, "LOCK")
	try(t, os.WriteFile(lock, nil, 0o600))
	more := filepath.Join(dir, "more")
	try(t, os.Mkdir(more, 0o700))
	g, err := datadir.Watch(lock, dir, more)
	try(t, err)
	t.Cleanup(func() { try(t, g.Close()) })
	return dir, lock, g
}

func TestCheckLockReadsLockOnly(t *testing.T) {
	dir, lock, g := watched(t)
	if err := g.CheckLock(); err != nil {
		t.Errorf("before: %v", err)
	}
	try(t, os.Remove(filepath.Join(dir, "more")))
	if err := g.CheckLock(); err != nil {
		t.Errorf("when another path is gone: %v", err)
	}
	if err := g.Check(); !errors.Is(err, datadir.ErrReplaced) {
		t.Errorf("when the last path is gone, Check = %v, want %v", err, datadir.ErrReplaced)
	}
	try(t, os.Remove(lock))
	if err := g.CheckLock(); !errors.Is(err, datadir.ErrReplaced) {
		t.Errorf("when the lock is gone: %v, want %v", err, datadir.ErrReplaced)
	}
	var none *datadir.Guard
	if err := none.CheckLock(); err != nil {
		t.Errorf("of nothing: %v", err)
	}
}

func TestReadErrorIsNoReplacement(t *testing.T) {
	_, lock, g := watched(t)
	try(t, os.Rename(lock, lock+".old"))
	try(t, os.Symlink("LOCK", lock)) // to itself
	if err := g.Check(); err != nil {
		t.Errorf("when the file system does not say what is there: %v", err)
	}
}

// opened returns the files under dir that this process has open, from there; false if the machine does not say.
func opened(t *testing.T, dir string) (open []string, ok bool) {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, false
	}
	for _, e := range all {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			if rel, err := filepath.Rel(dir, to); err == nil && filepath.IsLocal(rel) {
				open = append(open, rel)
			}
		}
	}
	return open, true
}

func TestGuardKeepsDirectoriesOpen(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	try(t, err)
	lock := filepath.Join(dir, "LOCK")
	try(t, os.WriteFile(lock, nil, 0o600))
	if _, ok := opened(t, dir); !ok {
		t.Skip("this machine does not say which files are open")
	}
	g, err := datadir.Watch(lock, dir)
	try(t, err)
	if open, _ := opened(t, dir); !slices.Equal(open, []string{"."}) {
		t.Errorf("a guard has %q open, want the directory alone", open)
	}
	try(t, g.Close())
	if open, _ := opened(t, dir); len(open) > 0 {
		t.Errorf("a closed guard has %q open", open)
	}
	if _, err := datadir.Watch(lock, dir, filepath.Join(dir, "none")); err == nil {
		t.Error("a path that is not there can be watched")
	}
	if open, _ := opened(t, dir); len(open) > 0 {
		t.Errorf("a guard that was refused has %q open", open)
	}
}
