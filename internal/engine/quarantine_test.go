package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/engine"
	"carillon/internal/engine/quarantine"
	"carillon/internal/job"
	"carillon/internal/logtest"
	"carillon/internal/store"
	"carillon/internal/store/pebblestore"
)

// keysOf returns the keys of a kind that are about the job of that name.
func keysOf(t *testing.T, db store.Store, tag byte, name string) [][]byte {
	t.Helper()
	var all [][]byte
	for pair, err := range db.Scan(t.Context(), store.Prefix([]byte{tag}), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasSuffix(pair.Key, []byte("\x00"+name+"\x00")) || bytes.HasSuffix(pair.Key[:len(pair.Key)-1], []byte(name)) {
			all = append(all, bytes.Clone(pair.Key))
		}
	}
	return all
}

func only1(t *testing.T, db store.Store, tag byte, name string) []byte {
	t.Helper()
	all := keysOf(t, db, tag, name)
	if len(all) != 1 {
		t.Fatalf("%d keys of kind %c are about %s, want one", len(all), tag, name)
	}
	return all[0]
}

// harm changes what a store holds behind the engine's back.
func harm(t *testing.T, db store.Store, change func(b *store.Batch)) {
	t.Helper()
	var b store.Batch
	change(&b)
	if err := db.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
}

// inspected returns the reasons of what an inspection finds, by key.
func inspected(t *testing.T, db store.Store) map[string]quarantine.Finding {
	t.Helper()
	found := map[string]quarantine.Finding{}
	if err := quarantine.Inspect(t.Context(), db, nil, func(f quarantine.Finding) error {
		found[string(f.Key)] = f
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// damaged returns a store with good jobs, due in an hour, and one of each kind of damage; wants are
// words of the reason for each key that cannot be used.
func damaged(t *testing.T, good int) (db *pebblestore.Store, wants map[string]string) {
	t.Helper()
	db = open(t, vfs.NewMem())
	e, stop := run(t, db, &app{}, engine.Config{})
	due := time.Now().Add(time.Hour)
	for i := range good {
		mustSchedule(t, e, key("app", fmt.Sprint("good-", i)), once(due))
	}
	for _, name := range []string{"format", "short", "missing", "unlisted", "moved", "strayed"} {
		mustSchedule(t, e, key("app", name), once(due))
	}
	mustSchedule(t, e, key("app", "stated"), every(time.Now(), 24*time.Hour))
	time.Sleep(time.Second)
	stop()

	wants = map[string]string{}
	harm(t, db, func(b *store.Batch) {
		put := func(key []byte, value, why string) {
			b.Put(key, []byte(value))
			wants[string(key)] = why
		}
		for p := range 64 {
			put([]byte{'d', 0, byte(p), 'x'}, "", "malformed key")
			put(append([]byte{'d', 0, byte(p)}, "\x00default\x00app\x00short"...), "", "malformed key")
		}
		put([]byte("j\x09a\x00b\x00c\x00"), "", "malformed key")
		put([]byte("j"), "x", "malformed key")
		put([]byte("s!"), "x", "malformed key")
		put([]byte("zebra"), "x", "of no kind that is known")
		put([]byte(""), "x", "of no kind that is known")
		put(only1(t, db, 'j', "format"), "\x63 of the future", "its format 99 is not known here")
		put(only1(t, db, 'j', "short"), "\x01", "malformed record")
		put(only1(t, db, 's', "stated"), "\x01\xff\xff\xff\xff\xff\xff\xff\xff", "malformed record")
		delete(wants, string(only1(t, db, 's', "stated")))
		wants[string(only1(t, db, 'j', "stated"))] = "state of"
		b.Delete(only1(t, db, 'j', "missing"))
		wants[string(only1(t, db, 'd', "missing"))] = "there is no such job"
		b.Delete(only1(t, db, 'd', "unlisted"))
		wants[string(only1(t, db, 'j', "unlisted"))] = "the due index has no entry"
		state := only1(t, db, 'j', "moved")
		put(append([]byte{'s'}, append(state[1:len(state)-1:len(state)-1], "-not\x00"...)...), "x", "there is no such job")
		stray := slices.Clone(only1(t, db, 'd', "strayed"))
		stray[2] ^= 1 // the partition
		put(stray, "", "does not belong to partition")
	})
	return db, wants
}

func TestDamagedRecordsAffectNoOtherJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const good = 300
		db, wants := damaged(t, good)
		defer db.Close()
		found := inspected(t, db)
		for k, why := range wants {
			if f, ok := found[k]; !ok || !strings.Contains(f.Reason, why) {
				t.Errorf("%x: found %v with the reason %q, want %q", k, ok, f.Reason, why)
			}
			delete(found, k)
		}
		for k, f := range found {
			t.Errorf("%q is in order, and found because %s", k, f.Reason)
		}

		var said logtest.Page
		a, reg := &app{}, prometheus.NewRegistry()
		e, stop := runWith(t, db, a, engine.Config{Metrics: reg}, slog.New(slog.NewTextHandler(&said, nil)))
		synctest.Wait()
		if err := e.Health(); err != nil {
			t.Errorf("Health: %v", err)
		}
		listed := 0
		for item, err := range e.List(t.Context(), job.Prefix{Kind: job.App, Namespace: key("app", "").Target.Namespace}) {
			if err != nil {
				t.Errorf("List: %v", err)
				break
			}
			if strings.HasPrefix(item.Key.Name, "good-") {
				listed++
			}
		}
		if listed != good {
			t.Errorf("%d good jobs are listed, want %d", listed, good)
		}
		time.Sleep(2 * time.Hour)
		names := map[string]int{}
		for _, tr := range a.triggers(t) {
			names[tr.Key.Name]++
		}
		for i := range good {
			if name := fmt.Sprint("good-", i); names[name] != 1 {
				t.Errorf("%s came %d times, want once", name, names[name])
			}
		}
		for _, name := range []string{"format", "short", "missing", "stated"} {
			if names[name] > 0 {
				t.Errorf("%s came, and cannot be read", name)
			}
		}
		if names["strayed"] != 1 {
			t.Errorf("a job with an entry in another partition, too, came %d times, want once", names["strayed"])
		}
		if note := e.Note(); !strings.Contains(note, "keys of the store cannot be used") {
			t.Errorf("the health note is %q", note)
		}
		metrics := gather(t, reg)
		if n := metrics["carillon_quarantined{due}"]; n != 64*2+2 {
			t.Errorf("the metric says that %v keys of the due index are in quarantine, want %d: %v", n, 64*2+2, metrics)
		}
		if n := strings.Count(said.String(), "the store holds what cannot be used"); n == 0 || n > 200 {
			t.Errorf("%d lines of the log are about it, want some, and no flood", n)
		}
		stop()

		kept := 0
		for pair, err := range db.Scan(t.Context(), store.Range{}, 1000) {
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := wants[string(pair.Key)]; ok {
				kept++
			}
		}
		if kept != len(wants) {
			t.Errorf("%d of %d keys that cannot be used are still there", kept, len(wants))
		}
		seen := 0
		for _, f := range inspected(t, db) {
			if !f.FirstSeen.IsZero() {
				seen++
			}
		}
		if seen < 64*2 {
			t.Errorf("%d findings say when they were first seen, want most of %d", seen, len(wants))
		}

		// What is noted is known after a start, before anything is read.
		e, stop = run(t, db, a, engine.Config{})
		defer stop()
		synctest.Wait()
		if note := e.Note(); !strings.Contains(note, "keys of the store cannot be used") {
			t.Errorf("after another start the health note is %q", note)
		}
	})
}

// notes returns the keys under which a store has notes of what is in quarantine.
func notes(t *testing.T, db store.Store) (all []string) {
	t.Helper()
	for pair, err := range db.Scan(t.Context(), store.Prefix([]byte("mq")), 0) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(pair.Key))
	}
	return all
}

// A notebook counts the commits that write notes of what is in quarantine, and refuses them while it is torn.
type notebook struct {
	store.Store
	torn    atomic.Bool
	commits atomic.Int32
	largest atomic.Int32 // notes of one commit
}

func (n *notebook) Commit(ctx context.Context, b *store.Batch) error {
	if len(b.Writes) > 0 && bytes.HasPrefix(b.Writes[0].Key, []byte("mq")) {
		n.commits.Add(1)
		n.largest.Store(max(n.largest.Load(), int32(len(b.Writes))))
		if n.torn.Load() {
			return errDisk
		}
	}
	return n.Store.Commit(ctx, b)
}

func TestQuarantineNotesSurviveRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		const bad = 150
		harm(t, db, func(b *store.Batch) {
			b.Put([]byte("mf"), []byte{1, 1})
			for i := range bad {
				b.Put(fmt.Appendf(nil, "d\x00\x00%06d", i), nil)
			}
		})
		n := &notebook{Store: db}
		_, stop := run(t, n, &app{}, engine.Config{Partitions: 1})
		first := time.Now()
		time.Sleep(10 * time.Second)
		stop()
		// One commit more is written if the first check comes while the loop still loads.
		commits := n.commits.Load()
		if got := len(notes(t, db)); got != bad || n.largest.Load() > 64 || commits < 3 || commits > 4 {
			t.Errorf("%d notes were written in %d commits of up to %d, want %d in 3 or 4 of up to 64", got, commits, n.largest.Load(), bad)
		}
		time.Sleep(time.Hour)
		_, stop = run(t, n, &app{}, engine.Config{Partitions: 1})
		time.Sleep(10 * time.Minute)
		stop()
		if n.commits.Load() != commits {
			t.Errorf("what had been noted was noted in %d more commits", n.commits.Load()-commits)
		}
		for k, f := range inspected(t, db) {
			if late := f.FirstSeen.Sub(first); late < 0 || late > time.Second {
				t.Errorf("%x was first seen %v after the first start, as its note says", k, late)
			}
		}
	})
}

func TestFailedQuarantineNoteIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		harm(t, db, func(b *store.Batch) {
			b.Put([]byte("mf"), []byte{1, 1})
			b.Put([]byte("d\x00\x00x"), nil)
		})
		var said logtest.Page
		n := &notebook{Store: db}
		n.torn.Store(true)
		_, stop := runWith(t, n, &app{}, engine.Config{Partitions: 1}, slog.New(slog.NewTextHandler(&said, nil)))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := strings.Count(said.String(), "cannot note what is in quarantine"); got != 1 || n.commits.Load() < 5 {
			t.Errorf("that no note could be written was logged %d times, in %d tries; want once, and some", got, n.commits.Load())
		}
		n.torn.Store(false)
		time.Sleep(2 * time.Minute)
		stop()
		if got := len(notes(t, db)); got != 1 {
			t.Errorf("%d notes were written when that went again, want one", got)
		}
		if got := strings.Count(said.String(), "cannot note what is in quarantine"); got != 1 {
			t.Errorf("it was logged %d times in the end", got)
		}
	})
}

// TestUnreadableJobCanBeReplacedOrDeleted holds of jobs whose entry of the index nothing names.
func TestUnreadableJobCanBeReplacedOrDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		a := &app{}
		e, stop := run(t, db, a, engine.Config{Partitions: 1})
		const good = 5
		for i := range good { // of the same lane, before them
			mustSchedule(t, e, key("app", fmt.Sprint("good", i)), once(time.Now().Add(10*time.Minute)))
		}
		for _, name := range []string{"replaced", "deleted"} {
			mustSchedule(t, e, key("app", name), once(time.Now().Add(time.Hour)))
		}
		stop()
		harm(t, db, func(b *store.Batch) {
			for _, name := range []string{"replaced", "deleted"} {
				b.Put(only1(t, db, 'j', name), []byte("\x01"))
			}
		})
		e, stop = run(t, db, a, engine.Config{Partitions: 1})
		defer stop()
		for _, name := range []string{"replaced", "deleted"} {
			if _, _, err := e.Get(t.Context(), key("app", name)); err == nil || errors.Is(err, job.ErrNotFound) {
				t.Errorf("Get of a job that cannot be read: %v", err)
			}
		}
		if e.Note() == "" {
			t.Error("nothing is in quarantine")
		}
		if err := e.Schedule(t.Context(), key("app", "replaced"), once(time.Now().Add(2*time.Hour)), true); err != nil {
			t.Errorf("Schedule: %v", err)
		}
		if err := e.Delete(t.Context(), key("app", "deleted")); err != nil {
			t.Errorf("Delete: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if note := e.Note(); note != "" {
			t.Errorf("the note is still %q", note)
		}
		if n := len(inspected(t, db)); n > 0 {
			t.Errorf("%d keys cannot be used: %v", n, inspected(t, db))
		}
		if n := len(notes(t, db)); n > 0 {
			t.Errorf("the store has %d notes yet, of what is in order", n)
		}
		time.Sleep(3 * time.Hour)
		if got := a.triggers(t); len(got) != good+1 || got[good].Key.Name != "replaced" {
			t.Errorf("what came is %v, want %d good jobs and the one that was replaced, once each", got, good)
		}
	})
}

// A failingStore cannot be read while it fails.
type failingStore struct {
	store.Store
	fails atomic.Bool
}

var errDisk = errors.New("input/output error")

func (s *failingStore) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	if s.fails.Load() {
		return nil, errDisk
	}
	return s.Store.Get(ctx, keys...)
}

func (s *failingStore) Scan(ctx context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	if s.fails.Load() {
		return func(yield func(store.Pair, error) bool) { yield(store.Pair{}, errDisk) }
	}
	return s.Store.Scan(ctx, r, limit)
}

func TestReadErrorIsNoQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &failingStore{Store: open(t, vfs.NewMem())}
		defer db.Store.(*pebblestore.Store).Close()
		a := &app{}
		e, stop := run(t, db, a, engine.Config{})
		defer stop()
		mustSchedule(t, e, key("app", "job"), once(time.Now().Add(time.Minute)))
		db.fails.Store(true)
		time.Sleep(2 * time.Minute)
		if err := e.Health(); err == nil {
			t.Error("healthy, with a disk that cannot be read")
		}
		if note := e.Note(); note != "" {
			t.Errorf("put in quarantine: %s", note)
		}
		db.fails.Store(false)
		time.Sleep(time.Minute)
		if got := a.triggers(t); len(got) != 1 {
			t.Errorf("%d triggers came, want one", len(got))
		}
	})
}

func TestOtherKeyOfSameNameIsRefused(t *testing.T) {
	for _, older := range []bool{false, true} {
		t.Run(fmt.Sprint("written by an earlier version ", older), func(t *testing.T) {
			db := open(t, vfs.NewMem())
			defer db.Close()
			right, _ := keyFile(t, keyLine("a", 1))
			wrong, _ := keyFile(t, keyLine("a", 2))
			e, stop := run(t, db, &app{}, engine.Config{Keys: right})
			mustSchedule(t, e, key("app", "job"), secretAt(time.Now().Add(time.Hour)))
			stop()
			if older {
				harm(t, db, func(b *store.Batch) { b.Delete([]byte("mha")) })
			}
			err := engine.New(engine.Config{Keys: wrong}, db, &app{}, logTo(t)).Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), `the key "a" of the key file is not the one of that name`) {
				t.Errorf("with another key of the same name Run ended with %v", err)
			}
			e, stop = run(t, db, &app{}, engine.Config{Keys: right})
			defer stop()
			if _, _, err := e.Get(t.Context(), key("app", "job")); err != nil || e.Note() != "" {
				t.Errorf("with the right key: %v, note %q", err, e.Note())
			}
		})
	}
}

// TestJobsOfMissingKeyAreNotQuarantined is about a cluster, in which another node seals with a key that this one
// has not been given yet.
func TestJobsOfMissingKeyAreNotQuarantined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		both, _ := keyFile(t, keyLine("new", 2)+keyLine("old", 1))
		e, stop := run(t, db, &app{}, engine.Config{Keys: both})
		mustSchedule(t, e, key("app", "job"), secretAt(time.Now().Add(time.Hour)))
		stop()
		record := only1(t, db, 'j', "job")
		values, err := db.Get(t.Context(), record)
		if err != nil {
			t.Fatal(err)
		}
		harm(t, db, func(b *store.Batch) { // as it was before the other node scheduled it
			b.Delete(record)
			b.Delete([]byte("mknew"))
			b.Delete([]byte("mk"))
		})
		mine, file := keyFile(t, keyLine("old", 1))
		a := &app{}
		e, stop = run(t, db, a, engine.Config{Keys: mine})
		defer stop()
		time.Sleep(time.Second)
		harm(t, db, func(b *store.Batch) {
			b.Put(record, values[0])
			b.Put([]byte("mknew"), nil)
		})
		time.Sleep(90 * time.Minute)
		if err := e.Health(); err == nil {
			t.Error("healthy, without a key that jobs need")
		}
		if note := e.Note(); note != "" {
			t.Errorf("put in quarantine: %s", note)
		}
		writeFile(t, file, keyLine("new", 2)+keyLine("old", 1))
		time.Sleep(time.Minute)
		if got := a.triggers(t); len(got) != 1 || e.Health() != nil {
			t.Errorf("with the key %d triggers came, want one; health: %v", len(got), e.Health())
		}
	})
}

func TestQuarantineIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		e, stop := run(t, db, &app{}, engine.Config{})
		mustSchedule(t, e, key("app", "good"), once(time.Now().Add(time.Minute)))
		stop()
		harm(t, db, func(b *store.Batch) {
			for i := range 6000 {
				b.Put(fmt.Appendf(nil, "d\x00\x07%06d", i), nil)
			}
		})
		a := &app{}
		e, stop = run(t, db, a, engine.Config{})
		defer stop()
		time.Sleep(2 * time.Minute)
		if got := a.triggers(t); len(got) != 1 {
			t.Errorf("%d triggers came, want one", len(got))
		}
		if note := e.Note(); !strings.Contains(note, "at least 4096 keys") {
			t.Errorf("the note is %q", note)
		}
	})
}

func TestFindingIsRemovedWithItsNote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, wants := damaged(t, 1)
		defer db.Close()
		e, stop := run(t, db, &app{}, engine.Config{})
		time.Sleep(2 * time.Hour)
		stop()
		_ = e
		for range 2 { // without its job, an entry of the index is a finding
			for _, f := range inspected(t, db) {
				if err := quarantine.Remove(t.Context(), db, f); err != nil {
					t.Fatal(err)
				}
			}
			if left := keysOf(t, db, 's', "stated"); len(left) > 0 {
				t.Errorf("the state of a job that was removed is there yet: %q", left)
			}
		}
		if found := inspected(t, db); len(found) > 0 {
			t.Errorf("of %d findings there are %d yet: %v", len(wants), len(found), slices.Collect(maps.Values(found)))
		}
		for pair, err := range db.Scan(t.Context(), store.Prefix([]byte("mq")), 0) {
			t.Errorf("there is still a note: %q, %v", pair.Key, err)
		}
	})
}
