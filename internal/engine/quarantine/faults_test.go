package quarantine

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"carillon/internal/encryption"
	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
	"carillon/internal/store/storetest"
	"carillon/internal/when"
)

func key(name string) job.Key {
	return job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: "app"}, Name: name}
}

// damaged returns a store with two notes and five jobs: good; moved, which has an obsolete entry
// besides its own; unreadable; stated, which is only a state; and unlisted, which has no entry. The
// keys seal the jobs, unless they are nil.
func damaged(t *testing.T, keys *encryption.Keys) store.Store {
	t.Helper()
	at := time.Unix(1000, 0).UTC()
	var b store.Batch
	put := func(k job.Key) {
		b.Put(record.JobKey(k), record.EncodeSpec(k, &job.Spec{Plan: when.Plan{First: at}, AppID: "app"}))
		b.Put(record.DueKey(record.Entry{Due: at, Key: k}), nil)
	}
	put(key("good"))
	put(key("moved"))
	b.Put(record.StateKey(key("moved")), record.EncodeState(record.State{Settled: 1, Last: at, Due: at.Add(1)}))
	b.Put(record.DueKey(record.Entry{Due: at.Add(1), Key: key("moved")}), nil)
	put(key("unreadable"))
	b.Put(record.JobKey(key("unreadable")), []byte("no record"))
	b.Put(record.StateKey(key("stated")), nil)
	put(key("unlisted"))
	b.Delete(record.DueKey(record.Entry{Due: at, Key: key("unlisted")}))
	b.Put([]byte("zebra"), nil)
	for _, k := range []string{"zebra", "zoo"} {
		b.Put(record.NoteKey([]byte(k)), record.EncodeNote(record.Note{Key: []byte(k), FirstSeen: at, Bytes: 1, Reason: "why"}))
	}
	b.Put(record.FormatKey(), record.EncodeFormat(1))
	s := openStore(t)
	writer := s
	if keys != nil {
		writer = record.EncryptedStore{Store: s, Keys: keys}
	}
	if err := writer.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNoErrorOfTheStoreIsSwallowed(t *testing.T) {
	keys, err := encryption.Open(filepath.Join("..", "record", "testdata", "golden", "keys"))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	inspect := func(keys *encryption.Keys, want int) func(t *testing.T, s store.Store) error {
		return func(t *testing.T, s store.Store) error {
			found := 0
			err := Inspect(t.Context(), s, keys, func(Finding) error {
				found++
				return nil
			})
			if err == nil && found != want {
				t.Errorf("%d findings, want %d", found, want)
			}
			return err
		}
	}
	for name, c := range map[string]struct {
		keys *encryption.Keys
		do   func(t *testing.T, s store.Store) error
	}{
		"inspect":                          {nil, inspect(nil, 4)},
		"inspect sealed jobs":              {keys, inspect(keys, 4)},
		"inspect sealed jobs without keys": {keys, inspect(nil, 2)},
		"remove": {nil, func(t *testing.T, s store.Store) error {
			return Remove(t.Context(), s, Finding{Key: record.JobKey(key("unreadable"))})
		}},
		"load": {nil, func(t *testing.T, s store.Store) error {
			q := New(s, 1, log, nil)
			err := q.load(t.Context())
			if err == nil && len(q.Findings()) != 2 {
				t.Errorf("%d are in quarantine, want 2", len(q.Findings()))
			}
			return err
		}},
		"recheck": {nil, func(t *testing.T, s store.Store) error {
			q := New(s, 1, log, nil)
			for _, k := range [][]byte{record.JobKey(key("unreadable")), []byte("not there"), record.JobKey(key("moved"))} {
				q.Report(t.Context(), k, 1, record.ErrMalformed)
			}
			return q.recheck(t.Context(), true)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.EachFault(t, damaged(t, c.keys), func(s store.Store) error { return c.do(t, s) })
		})
	}
}
