package storemeta

import (
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"carillon/internal/store"
	"carillon/internal/store/pebblestore"
)

// TestMain fails if the tests have left a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openStore opens an empty store in memory, and closes it with the test.
func openStore(t *testing.T) store.Store {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true}, log)
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
