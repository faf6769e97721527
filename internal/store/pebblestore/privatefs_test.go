package pebblestore_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"carillon/internal/store/pebblestore"
)

// Payloads are in all of them: the log, the tables, and the manifest, which has their first and last keys.
func TestStoreFilesArePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permissions are of another kind there")
	}
	dir := filepath.Join(t.TempDir(), "store")
	if err := os.Mkdir(dir, 0o755); err != nil { // by an operator, or by cp
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	lock := filepath.Join(dir, "LOCK") // as earlier versions made it
	if err := os.WriteFile(lock, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s := open(t, pebblestore.Config{Dir: dir})
		if err := put(t.Context(), s, "key", "value"); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	files := 0
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		files++
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v, want it for its user alone", name, info.Mode())
		}
		return nil
	})
	if err != nil || files < 5 {
		t.Errorf("%d files: %v", files, err)
	}
}
