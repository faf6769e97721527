package pebblestore_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/store/pebblestore"
)

// TestADiskThatBreaksWhileAStoreIsOpenedIsReported breaks the disk at one operation after another of an Open that has a
// log to replay: it returns the reason, or a store that knows it; it does not try for ever what cannot work any more.
func TestADiskThatBreaksWhileAStoreIsOpenedIsReported(t *testing.T) {
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
