package record

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/encryption"
	"carillon/internal/store"
	"carillon/internal/store/pebblestore"
)

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

// sealed returns an empty store that seals jobs, and what it is on.
func sealed(t *testing.T) (s EncryptedStore, under store.Store) {
	t.Helper()
	keys, err := encryption.Open(filepath.Join("testdata", "golden", "keys"))
	if err != nil {
		t.Fatal(err)
	}
	under = openStore(t)
	return EncryptedStore{under, keys}, under
}

func TestMaxBatchLeavesRoomForEnvelopes(t *testing.T) {
	s, under := sealed(t)
	writes, bytes := s.MaxBatch()
	wantWrites, most := under.MaxBatch()
	if writes != wantWrites || bytes > most || bytes < most/2 {
		t.Errorf("a store that seals takes %d bytes in %d writes, where %d in %d are the most", bytes, writes, most, wantWrites)
	}
	if least := most - writes*(1+s.Keys.Size(0)); bytes < least {
		t.Errorf("a store that seals takes %d bytes, and could %d", bytes, least)
	}
}

func TestOnlySpecsAreOpened(t *testing.T) {
	s, under := sealed(t)
	var b store.Batch
	b.Put([]byte("a job is sealed"), []byte{0})
	value := s.Keys.Seal([]byte{sealedSpecVersion}, []byte("value"), []byte("state"))
	for _, k := range []string{"", "state"} { // which nobody seals
		b.Put([]byte(k), value)
	}
	if err := under.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	for pair, err := range s.Scan(t.Context(), store.Range{}, 2) {
		if err != nil {
			t.Fatal(err)
		}
		if string(pair.Key) == "state" && string(pair.Value) != string(value) {
			t.Errorf("%q is opened, and is no job", pair.Key)
		}
	}
	values, err := s.Get(t.Context(), []byte("state"))
	if err != nil || string(values[0]) != string(value) {
		t.Errorf("Get = %q, %v; want what is there", values, err)
	}
}
