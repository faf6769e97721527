package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"carillon/internal/engine"
	"carillon/internal/job"
)

// named returns s with data that says which one of a name it is.
func named(s job.Spec, n string) job.Spec {
	s.Data = &job.Data{Value: []byte(n)}
	return s
}

// TestOverwritesOfFiringJobKeepTheLast has many users replace one job while it fires and its app takes
// its time.
func TestOverwritesOfFiringJobKeepTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, a, stop := start(t)
		lazy := rand.New(rand.NewPCG(1, 1))
		a.answer = func(job.Trigger) (job.Outcome, time.Duration) {
			return []job.Outcome{job.Handled, job.Failed, job.Lost}[lazy.IntN(3)], time.Duration(lazy.IntN(30)) * time.Millisecond
		}
		var users sync.WaitGroup
		for user := range 20 {
			r := rand.New(rand.NewPCG(2, uint64(user)))
			users.Go(func() {
				for i := range 50 {
					s := named(every(time.Now(), 20*time.Millisecond), fmt.Sprint(user, "-", i))
					if err := e.Schedule(t.Context(), key("app", "one"), s, true); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Duration(r.IntN(40)) * time.Millisecond)
				}
			})
		}
		users.Wait()
		last := named(every(time.Now().Add(time.Second), time.Second), "last")
		last.Words.Repeats, last.Plan.Repeats = new(uint32(3)), 3
		last.Policy = job.Policy{Interval: new(time.Duration), MaxRetries: nil} // until it is handled
		if err := e.Schedule(t.Context(), key("app", "one"), last, true); err != nil {
			t.Fatal(err)
		}
		before := len(a.triggers(t))
		if before < 20 {
			t.Errorf("only %d triggers came in the storm: this proves little", before)
		}
		time.Sleep(time.Hour)
		dues := map[time.Time]bool{}
		for _, tr := range a.triggers(t)[before:] {
			if string(tr.Data.Value) != "last" {
				t.Errorf("%q came after it was replaced", tr.Data.Value)
			}
			dues[tr.Due] = true
		}
		if len(dues) != 3 {
			t.Errorf("the last one had %d occurrences, want 3", len(dues))
		}
		if _, _, err := e.Get(t.Context(), key("app", "one")); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("afterwards: %v, want it gone", err)
		}
		stop()
	})
}

// TestDeletedNameIsFreeAtOnce deletes a job and schedules another of its name, again and again,
// while others read it.
func TestDeletedNameIsFreeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, a, stop := start(t)
		var gone atomic.Int64 // those up to this one were deleted, or replaced
		var over atomic.Bool
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				for latest := int64(0); !over.Load(); time.Sleep(time.Millisecond) {
					least := max(latest, gone.Load()+1)
					s, _, err := e.Get(t.Context(), key("app", "one"))
					if errors.Is(err, job.ErrNotFound) {
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					if latest, err = strconv.ParseInt(string(s.Data.Value), 10, 64); err != nil || latest < least {
						t.Errorf("it reads as number %s, where %d at least is meant", s.Data.Value, least)
						return
					}
				}
			})
		}
		r := rand.New(rand.NewPCG(3, 1))
		for n := int64(1); n <= 300; n++ {
			s := named(once(time.Now().Add(time.Duration(r.IntN(10))*time.Millisecond)), fmt.Sprint(n))
			if err := e.Schedule(t.Context(), key("app", "one"), s, false); err != nil {
				t.Fatalf("number %d: %v", n, err)
			}
			time.Sleep(time.Duration(r.IntN(10)) * time.Millisecond)
			if err := e.Delete(t.Context(), key("app", "one")); err != nil {
				t.Fatal(err)
			}
			gone.Store(n)
		}
		over.Store(true)
		readers.Wait()
		counts := map[string]int{}
		for _, tr := range a.triggers(t) {
			if counts[string(tr.Data.Value)]++; counts[string(tr.Data.Value)] > 1 {
				t.Errorf("number %s came again", tr.Data.Value)
			}
		}
		if len(counts) < 50 || len(counts) == 300 {
			t.Errorf("%d of 300 fired before they were deleted: this proves little", len(counts))
		}
		stop()
	})
}

// TestSlowDiskDelaysAtMostThreeSyncs has each sync of the disk take a tenth of a second. What is in
// a window is fired on time all the same; what has to be read first waits for the commit that is
// under way. Many users share a sync.
func TestSlowDiskDelaysAtMostThreeSyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sync100 = 100 * time.Millisecond
		disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData {
				time.Sleep(sync100)
			}
			return nil
		}))
		a := &app{}
		s := open(t, disk)
		e, stop := run(t, s, a, engine.Config{Loops: 2})
		begin := time.Now()
		var users sync.WaitGroup
		for i := range 1000 {
			due := begin.Add(time.Minute + time.Duration(i)*time.Millisecond)
			users.Go(func() {
				if err := e.Schedule(t.Context(), key("app", fmt.Sprint(i)), once(due), false); err != nil {
					t.Error(err)
				}
			})
		}
		users.Wait()
		if took := time.Since(begin); took > 10*sync100 {
			t.Errorf("a thousand users waited %v for their jobs, want a few syncs of %v", took, sync100)
		}
		time.Sleep(time.Hour)
		if got := len(a.triggers(t)); got != 1000 || a.late > 3*sync100 {
			t.Errorf("%d triggers came, the latest %v late, want 1000, late by no more than %v", got, a.late, 3*sync100)
		}
		stop()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
