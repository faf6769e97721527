package engine_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/encryption"
	"carillon/internal/engine"
	"carillon/internal/engine/storemeta"
	"carillon/internal/job"
	"carillon/internal/store"
)

// sealedIn returns how many jobs of the store are sealed with each key.
func sealedIn(t *testing.T, s store.Store) map[string]int64 {
	t.Helper()
	counts, err := storemeta.CountSealed(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

func mustKeys(t *testing.T, file string) *encryption.Keys {
	t.Helper()
	keys, err := encryption.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// rotated returns a store with 1,200 jobs, of which 100 are not sealed, and the others are with the
// key first; the file of keys has second in front now.
func rotated(t *testing.T, s store.Store, a *app) (file string) {
	t.Helper()
	at := time.Now().Add(24 * time.Hour)
	e, stop := run(t, s, a, engine.Config{})
	for i := range 100 {
		mustSchedule(t, e, key("app", fmt.Sprint("plain", i)), secretAt(at))
	}
	stop()
	keys, file := keyFile(t, keyLine("first", 1))
	e, stop = run(t, s, a, engine.Config{Keys: keys})
	for i := range 1100 {
		mustSchedule(t, e, key("app", fmt.Sprint("sealed", i)), secretAt(at))
	}
	stop()
	writeFile(t, file, keyLine("second", 2)+keyLine("first", 1))
	return file
}

func TestKeyRotationRetiresOldKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := open(t, vfs.NewMem()), &app{}
		defer s.Close()
		file := rotated(t, s, a)
		if err := engine.New(engine.Config{Keys: only(keyFile(t, keyLine("second", 2)))}, s, a, logTo(t)).Run(t.Context()); err == nil ||
			!strings.Contains(err.Error(), `"first", `) {
			t.Errorf("without the old key: %v, want how many jobs need it", err)
		}

		reg := prometheus.NewPedanticRegistry()
		_, stop := run(t, s, a, engine.Config{Keys: mustKeys(t, file), Metrics: reg})
		time.Sleep(time.Minute)
		want := map[string]int64{"first": 0, "second": 1200}
		if got := sealedIn(t, s); !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if secrets, _ := told(t, s, ""); secrets != 0 {
			t.Errorf("%d records say the secret", secrets)
		}
		if got := gather(t, reg)["carillon_sealed_jobs{second}"]; got != 1200 {
			t.Errorf("the metrics say %v, want 1200: %v", got, gather(t, reg))
		}
		stop()

		_, stop = run(t, s, a, engine.Config{Keys: only(keyFile(t, keyLine("second", 2)))})
		time.Sleep(time.Second)
		if got, want := sealedIn(t, s), map[string]int64{"second": 1200}; !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		time.Sleep(25 * time.Hour)
		if got := len(a.triggers(t)); got != 1200 {
			t.Errorf("the app got %d triggers, want 1200", got)
		}
		for _, tr := range a.triggers(t) {
			if string(tr.Data.Value) != secret {
				t.Fatalf("the app got %q", tr.Data.Value)
			}
		}
		stop()
	})
}

func TestKeyAddedAtRuntimeSealsAllJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := open(t, vfs.NewMem()), &app{}
		defer s.Close()
		keys, file := keyFile(t, keyLine("first", 1))
		e, stop := run(t, s, a, engine.Config{Keys: keys})
		defer stop()
		for i := range 10 {
			spec := secretAt(time.Now().Add(time.Hour))
			spec.Words.Repeats, spec.Plan.Repeats = new(uint32(5)), 5
			mustSchedule(t, e, key("app", fmt.Sprint(i)), spec)
		}
		before, _, err := e.Get(t.Context(), key("app", "3"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		writeFile(t, file, keyLine("second", 2)+keyLine("first", 1))
		time.Sleep(time.Minute)
		if got, want := sealedIn(t, s), map[string]int64{"first": 0, "second": 10}; !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		after, _, err := e.Get(t.Context(), key("app", "3"))
		if err != nil || !after.Plan.First.Equal(before.Plan.First) || *after.Words.Repeats != *before.Words.Repeats || string(after.Data.Value) != secret {
			t.Errorf("%+v, %v, want %+v", after, err, before)
		}
	})
}

// A walk that is interrupted is no harm: the next one goes on with what is left.
func TestReencryptionSurvivesRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := open(t, vfs.NewMem()), &app{}
		defer s.Close()
		file := rotated(t, s, a)
		var first store.Pair
		for pair, err := range s.Scan(t.Context(), store.Prefix([]byte("j")), 1) {
			if err != nil {
				t.Fatal(err)
			}
			first = store.Pair{Key: pair.Key, Value: append([]byte{2, 5}, "first, and this does not open"...)}
		}
		var b store.Batch
		b.Put(first.Key, first.Value)
		if err := s.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			_, stop := run(t, s, a, engine.Config{Keys: mustKeys(t, file)})
			stop()
		}
		_, stop := run(t, s, a, engine.Config{Keys: mustKeys(t, file)})
		defer stop()
		time.Sleep(time.Minute)
		if got, want := sealedIn(t, s), map[string]int64{"first": 1, "second": 1199}; !maps.Equal(got, want) {
			t.Errorf("%v, want %v: all but the damaged one", got, want)
		}
	})
}

// A job that is settled, scheduled again or deleted while it is sealed anew is what it was made.
func TestReencryptionUndoesNoCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := open(t, vfs.NewMem()), &app{}
		defer s.Close()
		file := rotated(t, s, a)
		e, stop := run(t, s, a, engine.Config{Keys: mustKeys(t, file)})
		defer stop()
		for i := range 600 {
			if err := e.Delete(t.Context(), key("app", fmt.Sprint("sealed", i))); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if got := sealedIn(t, s)["second"]; got != 600 {
			t.Errorf("%d jobs are there, want 600", got)
		}
		n := 0
		for _, err := range e.List(t.Context(), job.Prefix{Kind: job.App, Namespace: "ns", Parts: []string{"app"}}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 600 {
			t.Errorf("%d jobs are listed, want 600", n)
		}
	})
}

// Each node of a cluster seals anew what it owns, and waits for nothing that another does.
func TestNodesReencryptTheirPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, a := newRegistry(t), &app{}
		begin := func(keys string, partitions ...int) (*engine.Engine, func()) {
			e, stop := run(t, r, a, engine.Config{Partitions: 4, Shared: true, Keys: only(keyFile(t, keys))})
			n := &node{Engine: e, registry: r, stop: map[int]func(){}}
			for _, p := range partitions {
				n.own(t, p)
			}
			return e, func() {
				for _, p := range partitions {
					n.leave(p)
				}
				stop()
			}
		}
		e, stop := begin(keyLine("first", 1), 0, 1, 2, 3)
		for i := range 400 {
			mustSchedule(t, e, key("app", fmt.Sprint(i)), secretAt(time.Now().Add(24*time.Hour)))
		}
		stop()
		_, stopOne := begin(keyLine("second", 2)+keyLine("first", 1), 0, 1)
		time.Sleep(5 * time.Minute)
		got := sealedIn(t, r)
		if got["first"] == 0 || got["second"] == 0 || got["first"]+got["second"] != 400 {
			t.Errorf("%v, want that one node has sealed its part anew and no more", got)
		}
		_, stopTwo := begin(keyLine("second", 2)+keyLine("first", 1), 2, 3)
		time.Sleep(5 * time.Minute)
		if got, want := sealedIn(t, r), map[string]int64{"first": 0, "second": 400}; !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		stopTwo()
		stopOne()
	})
}
