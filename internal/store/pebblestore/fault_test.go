package pebblestore_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"carillon/internal/store/pebblestore"
)

// errDisk is what a broken disk answers.
var errDisk = errors.New("the disk is broken")

// A fault breaks a disk: the operation that match counts as number at fails, and so do all that match after it, until
// the disk is mended; or, if once, none of them.
type fault struct {
	match func(errorfs.Op) bool
	at    int64
	once  bool
	err   error

	seen   atomic.Int64
	mended atomic.Bool
}

func (f *fault) on(fs vfs.FS) vfs.FS {
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if f.mended.Load() || !f.match(op) {
			return nil
		}
		if n := f.seen.Add(1) - 1; n < f.at || f.once && n > f.at {
			return nil
		}
		return f.err
	}))
}

func writes(parts ...string) func(errorfs.Op) bool {
	return func(op errorfs.Op) bool {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || op.Kind == errorfs.OpLock {
			return false
		}
		for _, p := range parts {
			if strings.Contains(op.Path, p) {
				return true
			}
		}
		return len(parts) == 0
	}
}

// TestBrokenDiskLosesNothing breaks the disk at one operation after another: whatever fails then, an acknowledged
// batch is there when the disk works again, as it was and after a power cut.
func TestBrokenDiskLosesNothing(t *testing.T) {
	for name, match := range map[string]func(errorfs.Op) bool{
		"log":      writes(".log"),
		"manifest": writes("MANIFEST", "marker"),
		"folder":   func(op errorfs.Op) bool { return op.Kind == errorfs.OpFileSync && strings.HasSuffix(op.Path, "store") },
		"anything": writes(),
	} {
		for _, once := range []bool{false, true} {
			met := true
			for at := int64(0); met; at += 1 + at/2 {
				t.Run(fmt.Sprintf("%s after %d, once=%v", name, at, once), func(t *testing.T) {
					f := &fault{match: match, at: at, once: once, err: errDisk}
					synctest.Test(t, func(t *testing.T) { breakAt(t, f) })
					met = f.seen.Load() > at
				})
			}
		}
	}
}

func breakAt(t *testing.T, f *fault) {
	disk := vfs.NewCrashableMem()
	l := newLedger(3)
	s, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: f.on(disk), NoTickers: true}, quiet())
	if err != nil {
		wantText(t, err, errDisk.Error(), "store")
	} else {
		// Values this large fill a memtable now and then, so that there are new logs, flushes and manifests to fail.
		// Tables that cannot be written are tried again for an hour.
		defer time.AfterFunc(time.Hour, func() { f.mended.Store(true) }).Stop()
		for w, err := range l.write(t.Context(), s, 16, func() int { return 10_000 }) {
			if err == nil {
				continue
			}
			wantText(t, err, errDisk.Error(), "must be reopened")
			if _, err := s.Get(t.Context(), []byte("key")); err == nil {
				t.Errorf("writer %d: Get on a failed store returns no error", w)
			}
			if err := s.Wait(t.Context()); !errors.Is(err, errDisk) {
				t.Errorf("Wait on a failed store = %v, want %v", err, errDisk)
			}
		}
		if err := s.Close(); err != nil && !errors.Is(err, errDisk) {
			t.Errorf("Close: %v", err)
		}
	}
	acked := l.snapshot()
	for _, fs := range []vfs.FS{disk.CrashClone(vfs.CrashCloneCfg{}), disk} {
		again := open(t, pebblestore.Config{Dir: "store", FS: fs, NoTickers: true})
		l.check(t, again, acked)
	}
}

func TestFullDiskIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fault{match: writes(".sst"), err: syscall.ENOSPC}
		s := open(t, pebblestore.Config{Dir: "store", FS: f.on(vfs.NewMem()), NoTickers: true})
		l := newLedger(2)
		done := make(chan []error, 1)
		go func() { done <- l.write(t.Context(), s, 15, func() int { return 1_000_000 }) }()
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if len(done) > 0 || l.acked[0].Load() == 0 {
			t.Fatalf("after a while on a full disk the writers are done: %v, with %d acknowledged; want them to wait for space", len(done) > 0, l.acked[0].Load())
		}
		if tries := f.seen.Load(); tries < 3 || tries > 12 {
			t.Errorf("tables were tried %d times in 4 seconds, want about one a second", tries)
		}
		if value(t, s, "0/0") == "" {
			t.Error("reads do not work on a full disk")
		}
		f.mended.Store(true)
		for w, err := range <-done {
			if err != nil {
				t.Errorf("writer %d, when there is space again: %v", w, err)
			}
		}
		l.check(t, s, l.snapshot())
	})
}

func TestReadOnlyDirectoryIsRefused(t *testing.T) {
	for err, want := range map[error]string{
		syscall.EACCES: "right to write",
		syscall.EROFS:  "right to write",
		syscall.ENOSPC: "free some space",
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fault{match: writes(), err: err}
			_, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: f.on(vfs.NewMem()), NoTickers: true}, quiet())
			wantText(t, err, `"store"`, want)
		})
	}
}
