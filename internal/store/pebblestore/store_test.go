package pebblestore_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/store"
	"carillon/internal/store/pebblestore"
	"carillon/internal/store/storetest"
)

func TestConformanceInMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, pebblestore.Config{Dir: "store", FS: vfs.NewMem()})
	})
}

func TestConformanceOnDisk(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, pebblestore.Config{Dir: t.TempDir()})
	})
}

// open returns a store that is closed when the test ends.
func open(t *testing.T, cfg pebblestore.Config) *pebblestore.Store {
	t.Helper()
	s, err := pebblestore.Open(cfg, logTo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func logTo(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// quiet is for tests that break the disk: the log says so at length.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func put(ctx context.Context, s store.Store, keyValues ...string) error {
	var b store.Batch
	for i := 0; i < len(keyValues); i += 2 {
		b.Put([]byte(keyValues[i]), []byte(keyValues[i+1]))
	}
	return s.Commit(ctx, &b)
}

func value(t *testing.T, s store.Store, key string) string {
	t.Helper()
	got, err := s.Get(t.Context(), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return string(got[0])
}

func TestReopenedStoreKeepsItsData(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "for it")
	for i, want := range []string{"", "a", "aa"} {
		s := open(t, pebblestore.Config{Dir: dir})
		if got := value(t, s, "key"); got != want {
			t.Errorf("when opened for time %d: key = %q, want %q", i, got, want)
		}
		if err := put(t.Context(), s, "key", want+"a"); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("the folder was made with permissions %o, want 700", got)
	}
}

func TestDirectoryIsOpenedOnce(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	mem := vfs.NewMem()
	open(t, pebblestore.Config{Dir: dir})
	open(t, pebblestore.Config{Dir: "store", FS: mem})
	for _, cfg := range []pebblestore.Config{{Dir: dir}, {Dir: dir + "/."}, {Dir: link}, {Dir: "store", FS: mem}} {
		_, err := pebblestore.Open(cfg, logTo(t))
		wantText(t, err, cfg.Dir, "another carillon", "choose another directory")
	}
}

// TestSecondProcessIsRefused runs itself as the other process.
func TestSecondProcessIsRefused(t *testing.T) {
	const key = "PEBBLESTORE_TEST_DIR"
	if dir := os.Getenv(key); dir != "" {
		_, err := pebblestore.Open(pebblestore.Config{Dir: dir}, logTo(t))
		wantText(t, err, dir, "another carillon")
		return
	}
	dir := t.TempDir()
	open(t, pebblestore.Config{Dir: dir})
	other := exec.Command(os.Args[0], "-test.run=^TestSecondProcessIsRefused$")
	other.Env = append(os.Environ(), key+"="+dir)
	if out, err := other.CombinedOutput(); err != nil {
		t.Errorf("in another process: %v\n%s", err, out)
	}
}

func TestUnusableDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	newer := filepath.Join(dir, "newer")
	s := open(t, pebblestore.Config{Dir: newer})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	markers, err := filepath.Glob(filepath.Join(newer, "marker.format-version.*"))
	if err != nil || len(markers) != 1 {
		t.Fatalf("markers of the format: %q, %v; want one", markers, err)
	}
	at := strings.LastIndex(markers[0], ".")
	if err := os.Rename(markers[0], markers[0][:at]+".999"); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other")
	if err := os.MkdirAll(other, 0o700); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(other, "letter.txt")
	if err := os.WriteFile(text, []byte("Dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), dangling); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		dir  string
		want []string
	}{
		{"", []string{"no directory"}},
		{dangling, []string{dangling + " is a symbolic link to " + filepath.Join(dir, "nowhere"), "create that directory, or remove the link"}},
		{filepath.Join(dangling, "data"), []string{dangling + " is a symbolic link to"}},
		{"/proc/x", []string{"/proc/x", "no directory can be created there; choose another"}},
		{text, []string{text, "choose a directory"}},
		{other, []string{other, `"letter.txt"`, "choose an empty directory"}},
		{newer, []string{newer, "format 999", "newer carillon"}},
	} {
		_, err := pebblestore.Open(pebblestore.Config{Dir: tt.dir}, logTo(t))
		wantText(t, err, tt.want...)
	}
}

func TestMountPointIsADirectory(t *testing.T) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("data/lost+found", 0o700); err != nil {
		t.Fatal(err)
	}
	open(t, pebblestore.Config{Dir: "data", FS: fs})
}

func wantText(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", parts)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}

func TestTooLargeBatchIsRefused(t *testing.T) {
	s := open(t, pebblestore.Config{Dir: "store", FS: vfs.NewMem()})
	writes, bytes := s.MaxBatch()
	wantText(t, put(t.Context(), s, "key", strings.Repeat("x", bytes)), "split it")
	wantText(t, s.Commit(t.Context(), &store.Batch{Writes: make([]store.Write, writes+1)}), "split it")
	if got := value(t, s, "key"); got != "" {
		t.Errorf("a refused batch left a value of %d bytes", len(got))
	}
}

func TestClosedStoreReturnsErrClosed(t *testing.T) {
	s := open(t, pebblestore.Config{Dir: "store", FS: vfs.NewMem()})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	_, err := s.Get(t.Context(), []byte("key"))
	wantText(t, err, "closed")
	wantText(t, put(t.Context(), s, "key", ""), "closed")
	for _, err := range s.Scan(t.Context(), store.Range{}, 0) {
		wantText(t, err, "closed")
	}
}

func TestBatchWithFencesIsRefused(t *testing.T) {
	s := open(t, pebblestore.Config{Dir: "store", FS: vfs.NewMem()})
	b := store.Batch{Fences: []store.Fence{{}}}
	b.Put([]byte("key"), nil)
	wantText(t, s.Commit(t.Context(), &b), "write without fences")
	if got, err := s.Get(t.Context(), []byte("key")); err != nil || got[0] != nil {
		t.Errorf("what was refused reads as %q, %v", got[0], err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseWaitsForScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true})
		if err := put(t.Context(), s, "a", "", "b", ""); err != nil {
			t.Fatal(err)
		}
		closed := make(chan error, 1)
		seen := 0
		for p, err := range s.Scan(t.Context(), store.Range{}, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if seen++; seen == 1 {
				go func() { closed <- s.Close() }()
			}
			synctest.Wait()
			if len(closed) > 0 {
				t.Errorf("at %q the store is closed under the scan", p.Key)
			}
		}
		if err := <-closed; err != nil || seen != 2 {
			t.Errorf("the scan saw %d pairs, then Close returned %v; want 2 and nil", seen, err)
		}
	})
}

func TestYearOfFakeTimeIsFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true})
		for range 12 {
			time.Sleep(30 * 24 * time.Hour)
			if err := put(t.Context(), s, "key", time.Now().String()); err != nil {
				t.Fatal(err)
			}
		}
		if got := value(t, s, "key"); got != time.Now().String() {
			t.Errorf("key = %q, want %q", got, time.Now())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := s.Wait(ctx); err != nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("Wait on a sound store = %v with the context at %v, want nil when it ends", err, ctx.Err())
		}
	})
}
