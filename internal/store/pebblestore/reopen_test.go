package pebblestore_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"carillon/internal/store"
	"carillon/internal/store/pebblestore"
)

// TestDiskFailureDuringOpenIsReported breaks the disk at one operation after another of an Open that has a
// log to replay: it returns the reason, or a store that knows it; it does not try for ever what cannot work any more.
func TestDiskFailureDuringOpenIsReported(t *testing.T) {
	for _, once := range []bool{false, true} {
		met := true
		for at := int64(0); met; at++ {
			t.Run(fmt.Sprintf("after %d, once=%v", at, once), func(t *testing.T) {
				f := &fault{match: writes(), at: at, once: once, err: errDisk}
				synctest.Test(t, func(t *testing.T) { reopen(t, f) })
				met = f.seen.Load() > at
			})
		}
	}
}

func reopen(t *testing.T, f *fault) {
	disk := vfs.NewMem()
	s := open(t, pebblestore.Config{Dir: "store", FS: disk, NoTickers: true})
	l := newLedger(3)
	l.write(t.Context(), s, 4, func() int { return 1000 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(time.Hour, func() { f.mended.Store(true) }).Stop() // what can be tried again is, until then
	opened := make(chan error, 1)
	began := time.Now()
	go func() {
		s, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: f.on(disk), NoTickers: true}, quiet())
		if err == nil {
			_ = s.Close()
		}
		opened <- err
	}()
	err := <-opened
	if took := time.Since(began); took > 2*time.Hour {
		t.Errorf("Open returned %v after %v", err, took)
	}
	f.mended.Store(true)
	again := open(t, pebblestore.Config{Dir: "store", FS: disk, NoTickers: true})
	l.check(t, again, l.snapshot())
}

// TestDiskFailureDuringTableReadIsReported breaks the disk when an Open has written a table from its log, which
// Pebble looks through in the background: Pebble's own Open would fail then, and panic.
func TestDiskFailureDuringTableReadIsReported(t *testing.T) {
	for name, broken := range map[string]func(errorfs.Op) bool{
		"create": func(op errorfs.Op) bool { return op.Kind == errorfs.OpCreate && isOptions(op) },
		"write":  func(op errorfs.Op) bool { return op.Kind == errorfs.OpFileWrite && isOptions(op) },
		"sync":   func(op errorfs.Op) bool { return op.Kind == errorfs.OpFileSync && isOptions(op) },
		"rename": func(op errorfs.Op) bool { return op.Kind == errorfs.OpRename && isOptions(op) },
		"list":   func(op errorfs.Op) bool { return op.Kind == errorfs.OpList },
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 { // Pebble has to be at it just then
				reopenWithTable(t, broken)
			}
		})
	}
}

// isOptions reports whether a file is a temporary file of Pebble's options. Pebble writes it at the
// end of its Open, where an error must not occur; see disk.opening.
func isOptions(op errorfs.Op) bool { return strings.HasSuffix(op.Path, ".dbtmp") }

func reopenWithTable(t *testing.T, broken func(errorfs.Op) bool) {
	disk := vfs.NewMem()
	s := open(t, pebblestore.Config{Dir: "store", FS: disk, NoTickers: true})
	var b store.Batch
	for i := range 100 {
		b.Delete(fmt.Append(nil, i)) // in a table without deletions there is nothing to look for
	}
	if err := s.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var written atomic.Bool // the table
	f := &fault{err: errDisk, match: func(op errorfs.Op) bool {
		if op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".log") {
			written.Store(true)
		}
		return written.Load() && broken(op)
	}}
	if _, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: f.on(disk), NoTickers: true}, quiet()); !errors.Is(err, errDisk) {
		t.Fatalf("Open = %v, want what the disk said", err)
	}
}
