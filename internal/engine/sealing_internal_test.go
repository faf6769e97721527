package engine

import (
	"errors"
	"path/filepath"
	"testing"

	"carillon/internal/encryption"
	"carillon/internal/store"
)

// sealed returns an empty store that seals jobs, and what it is on.
func sealed(t *testing.T) (s sealing, under store.Store) {
	t.Helper()
	keys, err := encryption.Open(filepath.Join("testdata", "record", "keys"))
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

func TestKeyIsMissingWhereTheStoreSaysThatItIsUsed(t *testing.T) {
	s, under := sealed(t)
	id := s.keys.Current()
	record := func(id string) []byte {
		return append([]byte{sealedVersion, byte(len(id))}, id+" and what is sealed"...)
	}
	var b store.Batch
	b.Put(sealKey("known"), nil)
	b.Put(sealKey(id), nil)
	if err := under.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	own := s.keys.Seal([]byte{sealedVersion}, []byte("value"), []byte("j"))
	for name, c := range map[string]struct {
		record  []byte
		keys    *encryption.Keys
		missing bool
	}{
		"nothing": {nil, nil, false}, "what is not sealed": {[]byte{specVersion, 0}, nil, false}, "a key that is there": {own, s.keys, false},
		"a node without keys": {own, nil, true}, "another key of the store": {record("known"), s.keys, true},
		"a key that nobody knows": {record("other"), s.keys, false}, "rubbish": {[]byte{sealedVersion}, s.keys, false},
	} {
		if err := missingKey(t.Context(), under, c.keys, c.record); errors.Is(err, errMissingKey) != c.missing || err != nil && !c.missing {
			t.Errorf("%s: %v, want that a key is missing: %v", name, err, c.missing)
		}
	}
	if err := missingKey(t.Context(), &faulty{Store: under}, nil, own); !errors.Is(err, errMute) {
		t.Errorf("of a store that does not answer: %v", err)
	}
}
