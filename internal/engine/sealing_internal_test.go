package engine

import (
	"path/filepath"
	"testing"

	"carillon/internal/seal"
	"carillon/internal/store"
)

// sealed returns an empty store that seals jobs, and what it is on.
func sealed(t *testing.T) (s sealing, under store.Store) {
	t.Helper()
	keys, err := seal.Open(filepath.Join("testdata", "record", "keys"))
	if err != nil {
		t.Fatal(err)
	}
	under = openStore(t)
	return sealing{under, keys}, under
}

func TestSealsLeaveRoomInABatchForThemselves(t *testing.T) {
	s, under := sealed(t)
	writes, bytes := s.MaxBatch()
	wantWrites, most := under.MaxBatch()
	if writes != wantWrites || bytes > most || bytes < most/2 {
		t.Errorf("a store that seals takes %d bytes in %d writes, where %d in %d are the most", bytes, writes, most, wantWrites)
	}
	if least := most - writes*(1+s.keys.Size(0)); bytes < least {
		t.Errorf("a store that seals takes %d bytes, and could %d", bytes, least)
	}
}

func TestOnlyRecordsOfJobsAreTakenForSealed(t *testing.T) {
	s, under := sealed(t)
	var b store.Batch
	b.Put([]byte("a job is sealed"), []byte{0})
	value := s.keys.Seal([]byte{sealedVersion}, []byte("value"), []byte("state"))
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
