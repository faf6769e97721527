package pebblestore_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/store"
	"carillon/internal/store/pebblestore"
)

// A boundedDisk has total bytes, less those of its files.
type boundedDisk struct {
	*vfs.MemFS
	total uint64
}

func (d *boundedDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	var used uint64
	names, _ := d.List("db") // which is not there before it is made
	for _, name := range names {
		if info, err := d.Stat(d.PathJoin("db", name)); err == nil {
			used += uint64(info.Size())
		}
	}
	return vfs.DiskUsage{AvailBytes: d.total - min(used, d.total), TotalBytes: d.total, UsedBytes: used}, nil
}

// TestFullStoreFreesDeletedRecords deletes everything from a full store, and then writes nothing
// that would make Pebble compact.
func TestFullStoreFreesDeletedRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &boundedDisk{MemFS: vfs.NewMem(), total: 16 << 20}
		s, err := pebblestore.Open(pebblestore.Config{Dir: "db", FS: d}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		ctx, cancel := context.WithCancel(t.Context())
		waited := make(chan error, 1)
		go func() { waited <- s.Wait(ctx) }()
		defer func() {
			cancel()
			if err := <-waited; err != nil {
				t.Errorf("Wait = %v", err)
			}
		}()
		key := func(i int) []byte { return fmt.Appendf(nil, "key %08x", uint32(i)*2654435761) } // in no order
		commit := func(w store.Write) {
			if err := s.Commit(ctx, &store.Batch{Writes: []store.Write{w}}); err != nil {
				t.Fatal(err)
			}
		}
		random := rand.New(rand.NewPCG(1, 1))
		value := make([]byte, 4<<10)
		records := 0
		// What the store rewrites takes space for a moment: the disk is full when it is so for three seconds.
		for full := 0; full < 3; {
			if s.Full() != nil {
				full++
				time.Sleep(time.Second)
				continue
			}
			for i := range value { // which cannot be compressed
				value[i] = byte(random.Uint32())
			}
			commit(store.Write{Key: key(records), Value: value})
			records++
			time.Sleep(time.Millisecond)
		}
		for i := range records {
			commit(store.Write{Key: key(i), Remove: true})
		}
		time.Sleep(5 * time.Second)
		if err := s.Full(); err != nil {
			t.Errorf("5 s after its %d records were deleted: %v", records, err)
		}
	})
}
