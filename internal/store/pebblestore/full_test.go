package pebblestore_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/store/pebblestore"
)

// smallDisk reports a chosen amount of free space.
type smallDisk struct {
	vfs.FS
	free atomic.Uint64
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free.Load()}, nil
}

func TestStoreIsFullBeforeItsDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &smallDisk{FS: vfs.NewMem()}
		d.free.Store(1 << 30)
		var said bytes.Buffer
		log := slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelInfo}))
		s, err := pebblestore.Open(pebblestore.Config{Dir: "db", FS: d, NoTickers: true}, log)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, step := range []struct {
			free uint64
			full bool
		}{{1 << 30, false}, {127 << 20, true}, {1 << 20, true}, {130 << 20, true}, {161 << 20, false}, {130 << 20, false}} {
			d.free.Store(step.free)
			time.Sleep(10 * time.Millisecond)
			if got := s.Full() != nil; got != step.full {
				t.Errorf("with %d bytes free, Full = %v, want %v", step.free, got, step.full)
			}
		}
		for _, line := range []string{"the disk is full: new jobs are refused", "the disk has free space again: new jobs are accepted"} {
			if n := strings.Count(said.String(), line); n != 1 {
				t.Errorf("%q was logged %d times, want once", line, n)
			}
		}
	})
}
