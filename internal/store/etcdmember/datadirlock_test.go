package etcdmember

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestLockedDirectoryIsPrivateAndReleased(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, lockFile): 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s is %v, %v; want %v", name, info, err, want)
		}
	}
	if _, err := lockDir(dir); !errors.Is(err, errInUse) {
		t.Errorf("a locked folder: %v, want %v", err, errInUse)
	}
	if err := first.close(); err != nil {
		t.Error(err)
	}
	again, err := lockDir(dir)
	if err != nil {
		t.Fatalf("a folder that was let go: %v", err)
	}
	if err := again.close(); err != nil {
		t.Error(err)
	}
	if _, err := lockDir(filepath.Join(dir, lockFile, "data")); err == nil {
		t.Error("a folder in a file is locked")
	}
	if err := os.MkdirAll(filepath.Join(dir, "sub", lockFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := lockDir(filepath.Join(dir, "sub")); err == nil || errors.Is(err, errInUse) {
		t.Errorf("a folder whose lock is no file: %v", err)
	}
}
