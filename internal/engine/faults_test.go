package engine

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"carillon/internal/encryption"
	"carillon/internal/engine/machine"
	"carillon/internal/engine/record"
	"carillon/internal/engine/storemeta"
	"carillon/internal/job"
	"carillon/internal/store"
	"carillon/internal/store/storetest"
)

// TestNoErrorOfTheStoreIsSwallowed is about what reads or writes the store outside of turns. An
// earlier failure must not matter.
func TestNoErrorOfTheStoreIsSwallowed(t *testing.T) {
	keys, err := encryption.Open(filepath.Join("record", "testdata", "golden", "keys"))
	if err != nil {
		t.Fatal(err)
	}
	current := keys.Current()
	for name, c := range map[string]struct {
		sealed bool
		do     func(t *testing.T, s store.Store) error
	}{
		"count by key": {true, func(t *testing.T, s store.Store) error {
			counts, err := storemeta.CountSealed(t.Context(), s)
			if n, ok := counts["gone"]; err == nil && (counts[current] != 2 || counts[""] != 1 || !ok || n != 0) {
				t.Errorf("%v are sealed", counts)
			}
			return err
		}},
		"usage": {false, func(t *testing.T, s store.Store) error {
			jobs, bytes, err := New(Config{Partitions: 1}, s, nil, logTo(t)).Usage(t.Context(), "ns")
			want := int64(0)
			for _, k := range []job.Key{appKey("app", 1), appKey("app", 2), appKey("app", 5)} {
				want += int64(len(record.JobKey(k)) + len(record.EncodeSpec(k, dueAt(time.Unix(1000, 0)))))
			}
			want += int64(len(record.JobKey(appKey("app", 3))) + len("no record"))
			if err == nil && (jobs != 4 || bytes != want) {
				t.Errorf("%d jobs have %d bytes, want 4 with %d", jobs, bytes, want)
			}
			return err
		}},
		"list": {false, func(t *testing.T, s store.Store) error {
			n := 0
			for _, err := range New(Config{Partitions: 1}, s, nil, logTo(t)).List(t.Context(), job.Prefix{Kind: job.App, Namespace: "ns"}) {
				if err != nil {
					return err
				}
				n++
			}
			if n != 3 {
				t.Errorf("%d are listed, want 3", n)
			}
			return nil
		}},
		"delete": {false, func(t *testing.T, s store.Store) error {
			return New(Config{Partitions: 1}, s, nil, logTo(t)).DeleteThrough(t.Context(), job.Prefix{Kind: job.App, Namespace: "ns"},
				func(context.Context, []job.Request) []error { return nil })
		}},
		"get": {false, func(t *testing.T, s store.Store) error {
			_, _, err := New(Config{Partitions: 1}, s, nil, logTo(t)).Get(t.Context(), appKey("app", 1))
			return err
		}},
		"check a store": {false, func(t *testing.T, s store.Store) error {
			return New(Config{Partitions: 1}, s, nil, logTo(t)).checkStore(t.Context())
		}},
		"check a store that is sealed": {true, func(t *testing.T, s store.Store) error {
			err := New(Config{Partitions: 1, Keys: keys}, s, nil, logTo(t)).checkStore(t.Context())
			if err == nil {
				for key, there := range map[string]bool{string(record.EncryptionKey("gone")): false, string(record.EncryptionCheckKey("gone")): false, string(record.EncryptionCheckKey(current)): true, string(record.EncryptionKey(current)): true} {
					values, err := s.Get(t.Context(), []byte(key))
					if err != nil || (values[0] != nil) != there {
						t.Errorf("after the check %q is there: %v, %v", key, !there, err)
					}
				}
			}
			return err
		}},
		"seal anew": {true, func(t *testing.T, s store.Store) error {
			e := New(Config{Partitions: 1, Keys: keys, Full: func() error { return job.ErrFull }}, s, nil, logTo(t))
			counts, err := e.reencryptJobs(t.Context(), current)
			if err == nil && (counts[current] != 2 || counts[""] != 1) {
				t.Errorf("%v are sealed", counts)
			}
			return err
		}},
		"read a partition": {false, func(t *testing.T, s store.Store) error {
			l := scriptOn(t, s)
			heads, err := l.readLaneHeads(t.Context(), 0)
			if err == nil && len(heads) != 1 {
				t.Errorf("%d lanes, want one", len(heads))
			}
			return err
		}},
		"read records": {false, func(t *testing.T, s store.Store) error {
			l := scriptOn(t, s)
			read, bytes, err := l.readRecords(t.Context(), []job.Key{appKey("app", 1), appKey("app", 9), appKey("app", 2)})
			if err == nil && (read[0].Spec == nil || read[1].Spec != nil || !read[2].HasState || bytes == 0) {
				t.Errorf("%+v, %d bytes", read, bytes)
			}
			return err
		}},
		"read what is due": {false, func(t *testing.T, s store.Store) error {
			l := scriptOn(t, s)
			at := time.Unix(1000, 0).UTC()
			picked, records, err := l.readDue(t.Context(), []machine.Attempt{{Entry: record.Entry{Due: at, Key: appKey("app", 1)}}, {Entry: record.Entry{Due: at, Key: appKey("app", 2)}}})
			if err == nil && (len(picked) != 2 || len(records) != 2 || records[0].Obsolete || !records[1].Obsolete) {
				t.Errorf("%+v, %+v", picked, records)
			}
			return err
		}},
		"read what commands concern": {false, func(t *testing.T, s store.Store) error {
			l := scriptOn(t, s)
			records, err := l.readForCommands(t.Context(), []*command{{key: appKey("app", 3)}, {key: appKey("app", 1)}})
			if err == nil && (len(records) != 2 || len(records[0].Strays) != 1 || records[1].Strays != nil) {
				t.Errorf("%+v", records)
			}
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.EachFault(t, faultyWorld(t, c.sealed, keys), func(s store.Store) error { return c.do(t, s) })
		})
	}
}

// scriptOn returns the loop of a script on a store.
func scriptOn(t *testing.T, s store.Store) *loop {
	t.Helper()
	l := newScript(t, 1).loop
	l.store = s
	return l
}

// faultyWorld returns a store with jobs 1, which has not moved, 2, which has and has another entry
// of the index besides, 3, which cannot be read, and 5. Sealed, it has 1, 2 and a job of an actor.
func faultyWorld(t *testing.T, sealIt bool, keys *encryption.Keys) store.Store {
	t.Helper()
	db := openStore(t)
	at := time.Unix(1000, 0).UTC()
	spec := *dueAt(at)
	var b, plain store.Batch
	put := func(b *store.Batch, k job.Key) {
		b.Put(record.JobKey(k), record.EncodeSpec(k, &spec))
		b.Put(record.DueKey(record.Entry{Due: at, Key: k}), nil)
	}
	put(&b, appKey("app", 1))
	put(&b, appKey("app", 2))
	b.Put(record.StateKey(appKey("app", 2)), record.EncodeState(record.State{Settled: 1, Last: at, Due: at.Add(1)}))
	b.Put(record.DueKey(record.Entry{Due: at.Add(1), Key: appKey("app", 2)}), nil)
	actor := job.Key{Target: job.Target{Kind: job.Actor, Namespace: "ns", Name: "type"}, ActorID: "1", Name: "x"}
	plain.Put(record.FormatKey(), record.EncodeFormat(1))
	if sealIt {
		put(&plain, actor)
		plain.Put(record.EncryptionKey(""), nil)
		plain.Put(record.EncryptionKey("gone"), nil)
		plain.Put(record.EncryptionCheckKey("gone"), []byte("x"))
		plain.Put(record.EncryptionKey(keys.Current()), nil)
		if err := (record.EncryptedStore{Store: db, Keys: keys}).Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	} else {
		b.Put(record.JobKey(appKey("app", 3)), []byte("no record"))
		b.Put(record.DueKey(record.Entry{Due: at, Key: appKey("app", 3)}), nil)
		b.Put(record.JobKey(appKey("app", 5)), record.EncodeSpec(appKey("app", 5), &spec)) // without an entry
		if err := db.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Commit(t.Context(), &plain); err != nil {
		t.Fatal(err)
	}
	return db
}
