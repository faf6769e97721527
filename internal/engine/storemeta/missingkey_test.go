package storemeta

import (
	"errors"
	"path/filepath"
	"testing"

	"carillon/internal/encryption"
	"carillon/internal/engine/record"
	"carillon/internal/store"
	"carillon/internal/store/storetest"
)

// sealed returns an empty store that seals jobs, and what it is on.
func sealed(t *testing.T) (s record.EncryptedStore, under store.Store) {
	t.Helper()
	keys, err := encryption.Open(filepath.Join("..", "record", "testdata", "golden", "keys"))
	if err != nil {
		t.Fatal(err)
	}
	under = openStore(t)
	return record.EncryptedStore{Store: under, Keys: keys}, under
}

func TestMissingKeyIsDetected(t *testing.T) {
	s, under := sealed(t)
	const sealedSpec = 2 // version of a sealed spec
	id := s.Keys.Current()
	sealedBy := func(id string) []byte {
		return append([]byte{sealedSpec, byte(len(id))}, id+" and what is sealed"...)
	}
	var b store.Batch
	b.Put(record.EncryptionKey("known"), nil)
	b.Put(record.EncryptionKey(id), nil)
	if err := under.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	own := record.Seal(s.Keys, []byte("j"), []byte("value"))
	for name, c := range map[string]struct {
		record  []byte
		keys    *encryption.Keys
		missing bool
	}{
		"nothing": {nil, nil, false}, "what is not sealed": {[]byte{1, 0}, nil, false}, "a key that is there": {own, s.Keys, false},
		"a node without keys": {own, nil, true}, "another key of the store": {sealedBy("known"), s.Keys, true},
		"a key that nobody knows": {sealedBy("other"), s.Keys, false}, "rubbish": {[]byte{sealedSpec}, s.Keys, false},
	} {
		if err := MissingKey(t.Context(), under, c.keys, c.record); errors.Is(err, ErrMissingKey) != c.missing || err != nil && !c.missing {
			t.Errorf("%s: %v, want that a key is missing: %v", name, err, c.missing)
		}
	}
	if err := MissingKey(t.Context(), &storetest.Faulty{Store: under}, nil, own); !errors.Is(err, storetest.ErrFault) {
		t.Errorf("of a store that does not answer: %v", err)
	}
}
