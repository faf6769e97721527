package pebblestore_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"carillon/internal/store/datadir"
	"carillon/internal/store/pebblestore"
)

// replacements are what may happen to the folder of a store while it is open.
var replacements = map[string]func(dir string) error{
	"deleted":      os.RemoveAll,
	"renamed":      func(dir string) error { return os.Rename(dir, dir+".old") },
	"emptied":      func(dir string) error { return exec.Command("sh", "-c", "rm -rf "+dir+"/*").Run() },
	"logs deleted": func(dir string) error { return exec.Command("sh", "-c", "rm -f "+dir+"/*.log").Run() },
	"files deleted but the lock": func(dir string) error {
		return exec.Command("find", dir, "-type", "f", "!", "-name", "LOCK", "-delete").Run()
	},
	"lock deleted": func(dir string) error { return os.Remove(filepath.Join(dir, "LOCK")) },
	"replaced by a copy": func(dir string) error {
		return exec.Command("sh", "-c", "cp -a "+dir+" "+dir+".copy && mv "+dir+" "+dir+".old && mv "+dir+".copy "+dir).Run()
	},
}

func TestNothingIsAcknowledgedAfterReplacement(t *testing.T) {
	for name, replace := range replacements {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			s := openQuiet(t, dir)
			if err := put(t.Context(), s, "before", "1"); err != nil {
				t.Fatal(err)
			}
			if err := replace(dir); err != nil {
				t.Fatal(err)
			}
			// Another process can open what is there now; this one has no name for the folder that it has open.
			second, err := pebblestore.Open(pebblestore.Config{Dir: dir + "/."}, quiet())
			if err == nil {
				defer second.Close()
			}
			if err := put(t.Context(), s, "after", "1"); !errors.Is(err, datadir.ErrReplaced) {
				t.Errorf("a commit ended with %v, want %v", err, datadir.ErrReplaced)
			}
			if _, err := s.Get(t.Context(), []byte("before")); !errors.Is(err, datadir.ErrReplaced) {
				t.Errorf("a read ended with %v, want %v", err, datadir.ErrReplaced)
			}
		})
	}
}

func TestIdleStoreDetectsReplacedDirectory(t *testing.T) {
	for name, replace := range replacements {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "store")
			s := openQuiet(t, dir)
			waiting, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			time.AfterFunc(100*time.Millisecond, func() {
				if err := replace(dir); err != nil {
					t.Error(err)
				}
			})
			if err := s.Wait(waiting); !errors.Is(err, datadir.ErrReplaced) {
				t.Errorf("Wait: %v, want %v", err, datadir.ErrReplaced)
			}
		})
	}
}

// TestFailedStoreKeepsNewDirectoryUntouched holds that what a store still does by name does not
// reach the files of another, which another process may have made at the same path.
func TestFailedStoreKeepsNewDirectoryUntouched(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := openQuiet(t, dir)
	if err := put(t.Context(), s, "before", "1"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	_ = put(t.Context(), s, "after", "1")
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) > 0 {
		t.Errorf("the new folder holds %v (%v), want nothing", files, err)
	}
	back := openQuiet(t, dir+".old") // what was acknowledged is there
	values, err := back.Get(t.Context(), []byte("before"), []byte("after"))
	if err != nil || string(values[0]) != "1" {
		t.Errorf("the folder that was moved has %q, %v", values, err)
	}
}

func openQuiet(t *testing.T, dir string) *pebblestore.Store {
	t.Helper()
	s, err := pebblestore.Open(pebblestore.Config{Dir: dir}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
