package engine

import (
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/store"
	"carillon/internal/store/pebblestore"
)

// openStore opens an empty store in memory, and closes it with the test.
func openStore(t *testing.T) store.Store {
	t.Helper()
	return openOn(t, vfs.NewMem())
}

// openOn opens the store on disk.
func openOn(t *testing.T, disk vfs.FS) *pebblestore.Store {
	t.Helper()
	s, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: disk, NoTickers: true}, logTo(t))
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
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}
