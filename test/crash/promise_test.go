//go:build linux

package crash_test

import (
	"encoding/binary"
	"log/slog"
	"testing"
	"time"

	"carillon/internal/store"
	"carillon/internal/store/pebblestore"
)

// TestSyncedWritesSurviveReadOnlyDisk has the kernel give up a disk while a store does nothing but
// sync, so that each time one is under way: Linux may say of that one that it went well.
func TestSyncedWritesSurviveReadOnlyDisk(t *testing.T) {
	t.Parallel()
	const rounds = 12
	for round := range rounds {
		disk := ext4(t, "64M")
		s := openStore(t, disk.dir)
		if err := commit(t, s, 0); err != nil {
			t.Fatal(err)
		}
		promised := make(chan uint64)
		go func() {
			var n uint64
			for commit(t, s, n+1) == nil {
				n++
			}
			promised <- n
		}()
		time.Sleep(time.Duration(20+round) * time.Millisecond)
		disk.fail(t)
		last := <-promised
		if err := s.Close(); err != nil {
			t.Logf("round %d: the store was closed: %v", round, err)
		}
		disk.mend(t)
		s = openStore(t, disk.dir)
		got, err := s.Get(t.Context(), nth(last))
		if err != nil || got[0] == nil {
			t.Errorf("round %d: commit %d, the last that went well, is %v: %v, want it there", round, last, got, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func openStore(t *testing.T, dir string) *pebblestore.Store {
	t.Helper()
	s, err := pebblestore.Open(pebblestore.Config{Dir: dir}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// commit writes key number n.
func commit(t *testing.T, s *pebblestore.Store, n uint64) error {
	var b store.Batch
	b.Put(nth(n), make([]byte, 300))
	return s.Commit(t.Context(), &b)
}

func nth(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte("n"), n) }
