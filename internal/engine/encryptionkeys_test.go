package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/engine"
	"carillon/internal/logtest"
	"carillon/internal/store"
)

// about returns what a store says about itself, by key.
func about(t *testing.T, db store.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for pair, err := range db.Scan(t.Context(), store.Prefix([]byte("m")), 0) {
		if err != nil {
			t.Fatal(err)
		}
		value := string(pair.Value)
		if strings.HasPrefix(string(pair.Key), "mh") { // what tells the key from another of its name
			value = fmt.Sprint(len(value) > 0)
		}
		all[string(pair.Key)] = value
	}
	return all
}

// A walked store counts the walks over all jobs.
type walked struct {
	store.Store
	walks atomic.Int32
}

func (s *walked) Scan(ctx context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	if string(r.From) == "j" {
		s.walks.Add(1)
	}
	return s.Store.Scan(ctx, r, limit)
}

// TestStoreRemembersKeysOfItsJobs runs an engine with one file of keys after the other, and compares all that
// the store says about itself.
func TestStoreRemembersKeysOfItsJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		const format = "\x01\x40"
		for i, c := range []struct {
			keys  string
			job   bool // one is scheduled
			want  map[string]string
			walks int32
		}{
			{"", false, map[string]string{"mf": format}, 0},
			{keyLine("a", 1), false, map[string]string{"mf": format, "mk": "a", "mka": "", "mha": "true"}, 1},
			// All is known.
			{keyLine("a", 1), true, map[string]string{"mf": format, "mk": "a", "mka": "", "mha": "true"}, 0},
			{keyLine("b", 2) + keyLine("a", 1), false, map[string]string{"mf": format, "mk": "b", "mka": "", "mkb": "", "mha": "true", "mhb": "true"}, 1},
			{keyLine("b", 2) + keyLine("a", 1), false, map[string]string{"mf": format, "mk": "b", "mka": "", "mkb": "", "mha": "true", "mhb": "true"}, 0},
			// Jobs with the key a are looked for.
			{keyLine("b", 2), false, map[string]string{"mf": format, "mk": "b", "mkb": "", "mhb": "true"}, 1},
			{keyLine("c", 3) + keyLine("b", 2), true, map[string]string{"mf": format, "mk": "c", "mkb": "", "mkc": "", "mhb": "true", "mhc": "true"}, 1},
		} {
			var cfg engine.Config
			if c.keys != "" {
				cfg.Keys = only(keyFile(t, c.keys))
			}
			s := &walked{Store: db}
			e, stop := run(t, s, &app{}, cfg)
			time.Sleep(time.Minute)
			if c.job {
				mustSchedule(t, e, key("app", fmt.Sprint(i)), secretAt(time.Now().Add(1000*time.Hour)))
			}
			time.Sleep(10 * time.Minute)
			stop()
			if got := about(t, db); !maps.Equal(got, c.want) {
				t.Errorf("run %d: the store says %q about itself, want %q", i, got, c.want)
			}
			if s.walks.Load() != c.walks {
				t.Errorf("run %d: there were %d walks over all jobs, want %d", i, s.walks.Load(), c.walks)
			}
		}
		if got, want := sealedIn(t, db), (map[string]int64{"b": 0, "c": 2}); !maps.Equal(got, want) {
			t.Errorf("%v are sealed with each key, want %v", got, want)
		}
	})
}

// TestKeyWithoutCheckIsVerifiedByItsJobs is about stores that an earlier version wrote.
func TestKeyWithoutCheckIsVerifiedByItsJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		right := keyLine("a", 1)
		e, stop := run(t, db, &app{}, engine.Config{Keys: only(keyFile(t, right))})
		for i := range 3 {
			mustSchedule(t, e, key("app", fmt.Sprint(i)), secretAt(time.Now().Add(1000*time.Hour)))
		}
		stop()
		var first store.Pair
		for pair, err := range db.Scan(t.Context(), store.Prefix([]byte("j")), 1) {
			if err != nil {
				t.Fatal(err)
			}
			first = store.Pair{Key: bytes.Clone(pair.Key), Value: bytes.Clone(pair.Value)}
		}
		harm(t, db, func(b *store.Batch) {
			b.Delete([]byte("mha"))
			b.Put(first.Key, append(first.Value[:len(first.Value)-1:len(first.Value)-1], 'x')) // that one is damaged
		})
		before := about(t, db)
		if err := engine.New(engine.Config{Keys: only(keyFile(t, keyLine("a", 2)))}, db, &app{}, logTo(t)).Run(t.Context()); err == nil {
			t.Error("a key that opens none of the jobs is taken")
		}
		if got := about(t, db); !maps.Equal(got, before) {
			t.Errorf("after a key was refused the store says %q, want %q", got, before)
		}
		_, stop = run(t, db, &app{}, engine.Config{Keys: only(keyFile(t, right))})
		synctest.Wait()
		stop()
		if got := about(t, db)["mha"]; got != "true" {
			t.Errorf("a key that opens jobs has the mark %q", got)
		}
	})
}

func TestUnusableKeyFileIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, page := open(t, vfs.NewMem()), new(logtest.Page)
		defer db.Close()
		keys, file := keyFile(t, keyLine("a", 1))
		_, stop := runWith(t, db, &app{}, engine.Config{Keys: keys}, slog.New(slog.NewTextHandler(page, nil)))
		defer stop()
		time.Sleep(time.Second) // it is not read while it is written
		for n := range 3 {
			writeFile(t, file, keyLine("b", 2)) // without a
			time.Sleep(time.Minute)
			if got := strings.Count(page.String(), "the changed key file is not used"); got != n+1 {
				t.Errorf("after %d changes that are not used %d lines say so", n+1, got)
			}
			writeFile(t, file, keyLine("a", 1))
			time.Sleep(time.Minute)
		}
		if got := strings.Count(page.String(), "the changed key file is not used"); got != 3 {
			t.Errorf("%d lines say that a file is not used, want 3", got)
		}
	})
}

// TestIncompleteReencryptionIsRetried has a store without room, so that nothing is sealed anew.
func TestIncompleteReencryptionIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, a := open(t, vfs.NewMem()), &app{}
		defer db.Close()
		e, stop := run(t, db, a, engine.Config{})
		for i := range 7 {
			mustSchedule(t, e, key("app", fmt.Sprint(i)), secretAt(time.Now().Add(1000*time.Hour)))
		}
		stop()
		var roomy atomic.Bool
		full := func() error {
			if roomy.Load() {
				return nil
			}
			return errDisk
		}
		s, reg := &walked{Store: db}, prometheus.NewRegistry()
		_, stop = run(t, s, a, engine.Config{Keys: only(keyFile(t, keyLine("a", 1))), Metrics: reg, Full: full})
		defer stop()
		time.Sleep(10*time.Minute + 30*time.Second)
		if got := gather(t, reg); s.walks.Load() != 11 || got["carillon_sealed_jobs{}"] != 7 || got["carillon_sealed_jobs{a}"] != 0 {
			t.Errorf("in ten minutes without room there were %d walks, want one each minute; and the metrics say %v", s.walks.Load(), got)
		}
		roomy.Store(true)
		time.Sleep(2 * time.Minute)
		walks := s.walks.Load()
		if got := gather(t, reg); got["carillon_sealed_jobs{}"] != 0 || got["carillon_sealed_jobs{a}"] != 7 {
			t.Errorf("with room the metrics say %v", got)
		}
		time.Sleep(time.Hour)
		if s.walks.Load() != walks {
			t.Errorf("when all was sealed there were %d more walks", s.walks.Load()-walks)
		}
	})
}
