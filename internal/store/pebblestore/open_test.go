package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"carillon/internal/job"
	"carillon/internal/store"
	"carillon/internal/store/datadir"
	"carillon/internal/store/diskspace"
)

func batch(keyValues ...string) *store.Batch {
	var b store.Batch
	for i := 0; i < len(keyValues); i += 2 {
		b.Put([]byte(keyValues[i]), []byte(keyValues[i+1]))
	}
	return &b
}

func openAt(t *testing.T, cfg Config) *Store {
	t.Helper()
	cfg.NoTickers = true
	s, err := Open(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBatchSizeIsChecked(t *testing.T) {
	largest := &store.Batch{Writes: make([]store.Write, maxWrites)}
	largest.Writes[0] = store.Write{Key: make([]byte, maxBytes-5), Value: make([]byte, 5)}
	more := &store.Batch{Writes: make([]store.Write, maxWrites+1)}
	fenced := batch("a", "bc")
	fenced.Fences = make([]store.Fence, 2)
	for _, c := range []struct {
		b    *store.Batch
		size int
		want string
	}{
		{batch(), 12, ""},
		{batch("a", "bc", "de", ""), 12 + 5 + 22, ""},
		{largest, 12 + maxBytes + 11*maxWrites, ""},
		{more, 0, "0 bytes in 10001 writes exceed a batch of 4194304 bytes in 10000 writes: split it"},
		{batch("a", strings.Repeat("x", maxBytes)), 0, "4194305 bytes in 1 writes exceed a batch of 4194304 bytes in 10000 writes: split it"},
		{fenced, 0, "the batch has 2 fences, but this store has a single writer and supports none: write without fences"},
	} {
		size, err := check(c.b)
		if size != c.size || fmt.Sprint(err) != c.want && (err != nil || c.want != "") {
			t.Errorf("check of %d writes = %d, %v; want %d, %q", len(c.b.Writes), size, err, c.size, c.want)
		}
	}
}

// TestCallEndsWithStoreOrContext holds of calls that wait for their turn, too.
func TestCallEndsWithStoreOrContext(t *testing.T) {
	const lost = `the store in "store" has failed and must be reopened; acknowledged data is safe: broken`
	const moved = `the store in "store" has failed: gone: `
	for _, c := range []struct {
		name        string
		do          func(s *Store, cancel func())
		early, late string // what a call says that comes after it, and one that waits for its turn
	}{
		{"canceled", func(_ *Store, cancel func()) { cancel() }, "context canceled", "context canceled"},
		{"failed", func(s *Store, _ func()) { s.disk.fail(errors.New("broken")) }, lost, lost},
		{
			"replaced", func(s *Store, _ func()) { s.disk.fail(fmt.Errorf("gone: %w", datadir.ErrReplaced)) },
			moved + datadir.ErrReplaced.Error(), moved + datadir.ErrReplaced.Error(),
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := openAt(t, Config{Dir: "store", FS: vfs.NewMem()})
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.applying <- struct{}{}
			waiting := make(chan error, 1)
			go func() { waiting <- s.Commit(ctx, batch("late", "")) }()
			synctest.Wait()
			if len(waiting) > 0 {
				t.Errorf("%s: a commit did not wait for its turn: %v", c.name, <-waiting)
			}
			c.do(s, cancel)
			if err := <-waiting; err == nil || err.Error() != "commit 1 writes: "+c.late {
				t.Errorf("%s: a commit that waits = %v, want %q", c.name, err, c.late)
			}
			<-s.applying
			if err := s.Commit(ctx, batch("early", "")); err == nil || err.Error() != "commit 1 writes: "+c.early {
				t.Errorf("%s: Commit = %v, want %q", c.name, err, c.early)
			}
			if _, err := s.Get(ctx, []byte("early"), []byte("late")); err == nil || err.Error() != "get 2 keys: "+c.early {
				t.Errorf("%s: Get = %v, want %q", c.name, err, c.early)
			}
			for _, err := range s.Scan(ctx, store.Range{}, 0) {
				if err == nil || err.Error() != "scan: "+c.early {
					t.Errorf("%s: Scan = %v, want %q", c.name, err, c.early)
				}
			}
		})
	}
}

// TestQueuedCommitOnFailedStoreWritesNothing has many, as the turn and the failure come at the same moment.
func TestQueuedCommitOnFailedStoreWritesNothing(t *testing.T) {
	s := openAt(t, Config{Dir: "store", FS: vfs.NewMem()})
	s.disk.fail(errors.New("broken"))
	for range 50 {
		pb := s.db.NewBatch()
		if err := errors.Join(pb.Set([]byte("k"), nil, nil), s.apply(t.Context(), pb)); err == nil || !strings.HasSuffix(err.Error(), "broken") {
			t.Fatalf("apply = %v, want why the store has failed", err)
		}
		if err := pb.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestOpenStoreWatchesLogAndManifestOnly holds that one that Pebble has closed and removed is not missed.
func TestOpenStoreWatchesLogAndManifestOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	for life := range 2 {
		s := openAt(t, Config{Dir: dir})
		for i := range 4 {
			if err := s.Commit(t.Context(), batch(fmt.Sprint("key", i), "value")); err != nil {
				t.Fatal(err)
			}
			if err := s.db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.disk.checkPresent(); err != nil {
			t.Errorf("a store that is where it was: %v", err)
		}
		var watched []string
		s.disk.mu.Lock()
		for _, name := range s.disk.fileGuards {
			watched = append(watched, strings.Trim(filepath.Base(name), "-0123456789"))
		}
		s.disk.mu.Unlock()
		if slices.Sort(watched); !slices.Equal(watched, []string{".log", "MANIFEST"}) {
			t.Errorf("in life %d it watches %q, want its log and its manifest", life, watched)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if n := descriptorsWithin(dir); n > 0 {
			t.Errorf("a store that was closed has %d files open", n)
		}
	}
}

// descriptorsWithin returns how many files of a folder this process has open, and the folder; where
// nobody can say it, none.
func descriptorsWithin(dir string) (n int) {
	all, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range all {
		if at, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name())); err == nil && (at == dir || strings.HasPrefix(at, dir+"/")) {
			n++
		}
	}
	return n
}

func TestIdleStoreFreesSpaceAndDetectsMove(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(Config{Dir: dir}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var full atomic.Bool
		s.space = diskspace.New(func() (diskspace.Usage, error) {
			if full.Load() {
				return diskspace.Usage{Total: 1 << 40}, nil
			}
			return diskspace.Usage{Free: 1 << 40, Total: 1 << 40}, nil
		}, slog.New(slog.DiscardHandler))
		if err := s.Commit(t.Context(), batch("key", "")); err != nil {
			t.Fatal(err)
		}
		flushed := func() int64 {
			synctest.Wait()
			return s.db.Metrics().Flush.Count
		}
		before := flushed()
		waited := make(chan error, 1)
		go func() { waited <- s.Wait(t.Context()) }()
		if time.Sleep(2500 * time.Millisecond); flushed() != before || s.Full() != nil {
			t.Errorf("on a disk with free space, %v, there were %d flushes", s.Full(), flushed()-before)
		}
		full.Store(true)
		if time.Sleep(time.Second); flushed() != before+1 || !errors.Is(s.Full(), job.ErrFull) {
			t.Errorf("on a disk that is full, %v, there were %d flushes, want one", s.Full(), flushed()-before)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := s.Wait(ctx); err != nil {
			t.Errorf("Wait, when its context ends = %v", err)
		}
		if len(waited) > 0 {
			t.Fatalf("Wait of a sound store = %v", <-waited)
		}
		if err := os.Rename(dir, dir+".old"); err != nil {
			t.Fatal(err)
		}
		moved := time.Now()
		err = <-waited
		if want := fmt.Sprintf("the store in %q has failed: ", dir); !errors.Is(err, datadir.ErrReplaced) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Wait of a store that was moved = %v", err)
		}
		if took := time.Since(moved); took > datadir.Interval {
			t.Errorf("it took %v", took)
		}
		if next := s.reclaim(t.Context(), []byte("a")); next != nil {
			t.Errorf("reclaim of a store that has failed goes on at %q", next)
		}
	})
}

func TestCloseReportsErrors(t *testing.T) {
	for _, failed := range []bool{false, true} {
		s := openAt(t, Config{Dir: "store", FS: vfs.NewMem()})
		it, err := s.db.NewIter(nil)
		if err != nil {
			t.Fatal(err)
		}
		if failed {
			s.disk.fail(errors.New("broken"))
		}
		err = s.Close()
		if want := `close the store in "store": leaked iterators`; failed != (err == nil) || !failed && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Close of a store whose disk has failed, %v, with an open iterator = %v", failed, err)
		}
		_ = it
	}
}

// change changes a file.
func change(t *testing.T, disk vfs.FS, path string, how func([]byte) []byte) {
	t.Helper()
	f, err := disk.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	if f, err = disk.Create(path, vfs.WriteCategoryUnspecified); err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(how(text))
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestCloseDoesNotWaitForRetry uses a disk without space for a table.
func TestCloseDoesNotWaitForRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openAt(t, Config{Dir: "store", FS: errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") {
				return syscall.ENOSPC
			}
			return nil
		}))})
		if err := s.Commit(t.Context(), batch("key", "value")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.db.AsyncFlush(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(writeRetryDelay / 2)
		begin := time.Now()
		if err := s.Close(); err != nil || time.Since(begin) > 0 {
			t.Errorf("Close = %v after %v", err, time.Since(begin))
		}
	})
}

// TestNewStoreDetectsMissingFirstLog holds that the manifest names it, so that a store whose log is
// gone does not open as an empty one.
func TestNewStoreDetectsMissingFirstLog(t *testing.T) {
	disk := vfs.NewCrashableMem()
	s := openAt(t, Config{Dir: "store", FS: disk})
	defer s.Close()
	logs := find(t, disk, ".log")
	first, err := checkManifest(disk, "store")
	if want := fmt.Sprintf("%06d.log", first); err != nil || !strings.HasSuffix(logs[len(logs)-1], want) {
		t.Errorf("the first log is %s, %v; and there are %q", want, err, logs)
	}
}

func TestEmptyKeyIsValid(t *testing.T) {
	s := openAt(t, Config{Dir: "store", FS: vfs.NewMem()})
	defer s.Close()
	for _, key := range [][]byte{nil, {}} {
		if got, err := s.Get(t.Context(), key, []byte("key"), key); err != nil || got[0] != nil || got[1] != nil || got[2] != nil {
			t.Errorf("in an empty store it has the value %q, %v", got, err)
		}
	}
	if err := s.Commit(t.Context(), batch("", "empty", "a", "1", "b", "2")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), nil, []byte("0"), []byte("a")); err != nil || string(got[0]) != "empty" || got[1] != nil || string(got[2]) != "1" {
		t.Errorf("Get = %q, %v", got, err)
	}
	for _, r := range []struct {
		store.Range
		want string
	}{
		{store.Range{}, "=empty a=1 b=2 "},
		{store.Range{From: []byte{}}, "=empty a=1 b=2 "},
		{store.Range{To: []byte{}}, ""},
		{store.Range{From: []byte("a"), To: []byte("a")}, ""},
		{store.Range{From: []byte("b"), To: []byte("a")}, ""},
		{store.Range{From: []byte("a"), To: []byte("b")}, "a=1 "},
	} {
		got := ""
		for p, err := range s.Scan(t.Context(), r.Range, 0) {
			if err != nil {
				t.Fatal(err)
			}
			got += fmt.Sprintf("%s=%s ", p.Key, p.Value)
		}
		if got != r.want {
			t.Errorf("from %q to %q there is %q, want %q", r.From, r.To, got, r.want)
		}
	}
}

// find returns the paths of the files whose name ends so, in their order.
func find(t *testing.T, disk vfs.FS, suffix string) (paths []string) {
	t.Helper()
	names, err := disk.List("store")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, suffix) {
			paths = append(paths, disk.PathJoin("store", name))
		}
	}
	slices.Sort(paths)
	return paths
}

func TestDamagedTableFailsStore(t *testing.T) {
	disk := vfs.NewMem()
	s := openAt(t, Config{Dir: "store", FS: disk})
	if err := errors.Join(s.Commit(t.Context(), batch("key", strings.Repeat("value", 100))), s.db.Flush(), s.Close()); err != nil {
		t.Fatal(err)
	}
	tables := find(t, disk, ".sst")
	change(t, disk, tables[0], func(b []byte) []byte { b[20] ^= 1; return b })
	s = openAt(t, Config{Dir: "store", FS: disk})
	_, err := s.Get(t.Context(), []byte("key"))
	if failed := s.Wait(t.Context()); err == nil || failed == nil || !strings.Contains(failed.Error(), "must be reopened; acknowledged data is safe: damaged table: ") {
		t.Errorf("Get of what is damaged = %v, and the store has failed with %v", err, failed)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestUnreadableTableFailsCall(t *testing.T) {
	disk := vfs.NewMem()
	s := openAt(t, Config{Dir: "store", FS: disk})
	if err := errors.Join(s.Commit(t.Context(), batch("a", "b", "key", "value")), s.db.Flush(), s.Close()); err != nil {
		t.Fatal(err)
	}
	var broken atomic.Bool // Pebble removes files in the background meanwhile
	s = openAt(t, Config{Dir: "store", FS: errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsRead && strings.HasSuffix(op.Path, ".sst") {
			return errors.New("broken")
		}
		return nil
	}))})
	broken.Store(true)
	if values, err := s.Get(t.Context(), []byte("key"), []byte("none")); err == nil || values != nil || !strings.HasSuffix(err.Error(), "broken") {
		t.Errorf("Get = %q, %v", values, err)
	}
	n := 0
	for p, err := range s.Scan(t.Context(), store.Range{}, 0) {
		if n++; err == nil || p.Key != nil || !strings.HasPrefix(err.Error(), "scan: ") {
			t.Errorf("Scan yields %q, %v", p.Key, err)
		}
	}
	if n != 1 {
		t.Errorf("Scan yields %d times, want once", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestTornLogTailIsLogged is of what a crash leaves: the store opens, without what is not whole.
func TestTornLogTailIsLogged(t *testing.T) {
	disk := vfs.NewCrashableMem()
	s := openAt(t, Config{Dir: "store", FS: disk})
	for _, key := range []string{"first", "second"} {
		if err := s.Commit(t.Context(), batch(key, "value")); err != nil {
			t.Fatal(err)
		}
	}
	crashed := disk.CrashClone(vfs.CrashCloneCfg{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	logs := find(t, crashed, ".log")
	newest := logs[len(logs)-1]
	change(t, crashed, newest, func(b []byte) []byte {
		at := strings.LastIndex(string(b), "second")
		b[at] ^= 1
		return b
	})
	log, page := plainLog(slog.LevelInfo)
	s, err := Open(Config{Dir: "store", FS: crashed, NoTickers: true}, log)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("level=WARN msg=\"the store's log ends with an incomplete write\" component=pebblestore err=\"%s %v\"\n", filepath.Base(newest), errLogTorn)
	if got := page.String(); got != want {
		t.Errorf("the log says\n%s, want\n%s", got, want)
	}
	values, err := s.Get(t.Context(), []byte("first"), []byte("second"))
	if err != nil || string(values[0]) != "value" || values[1] != nil {
		t.Errorf("it holds %q, %v", values, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestRefusedDirectoryIsUnlocked holds of one that is damaged: the next to open it hears the same.
func TestRefusedDirectoryIsUnlocked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := openAt(t, Config{Dir: dir})
	if err := errors.Join(s.Commit(t.Context(), batch("key", "value")), s.Close()); err != nil {
		t.Fatal(err)
	}
	markers, err := filepath.Glob(filepath.Join(dir, "marker.manifest.*"))
	if err != nil || len(markers) != 1 {
		t.Fatalf("markers of the manifest: %q, %v", markers, err)
	}
	if err := os.Remove(markers[0]); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("open the store in %q: the marker of the current manifest is missing: %v", dir, errDamaged)
	for range 2 {
		if _, err := Open(Config{Dir: dir, NoTickers: true}, slog.New(slog.DiscardHandler)); err == nil || err.Error() != want {
			t.Errorf("Open = %v, want %q", err, want)
		}
	}
	if n := descriptorsWithin(dir); n > 0 {
		t.Errorf("a folder that was refused has %d files open", n)
	}
}
