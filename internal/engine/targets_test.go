package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/engine"
	"carillon/internal/job"
)

func TestTargetsAgreeWithModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, stop := start(t)
		defer stop()
		r := rand.New(rand.NewPCG(7, 8))
		model := map[job.Key]bool{}
		due := time.Now().Add(time.Hour)
		random := func() job.Key {
			k := viewKey(r)
			k.Target.Name += []string{"", "\x00", "\x01x", ":%"}[r.IntN(4)]
			return k
		}
		for range 200 {
			for range 1 + r.IntN(4) {
				k := random()
				if r.IntN(2) == 0 {
					if err := e.Delete(t.Context(), k); err != nil {
						t.Fatal(err)
					}
					delete(model, k)
					continue
				}
				if err := e.Schedule(t.Context(), k, once(due), true); err != nil {
					t.Fatal(err)
				}
				model[k] = true
			}
			var s job.Selector
			some := random().Target
			if r.IntN(3) == 0 {
				s.Kind = some.Kind
			}
			if r.IntN(3) == 0 {
				s.Namespace = some.Namespace
			}
			if r.IntN(6) == 0 {
				s.Target = some.Name
			}
			var want []job.Target
			for k := range model {
				if s.Selects(k) {
					want = append(want, k.Target)
				}
			}
			slices.SortFunc(want, func(a, b job.Target) int { return byKey(job.Key{Target: a}, job.Key{Target: b}) })
			want = slices.Compact(want)
			limit := 1 + r.IntN(5)
			var got []job.Target
			for after, more := (job.Target{}), true; more; {
				var page []job.Target
				var err error
				page, more, err = e.Targets(t.Context(), s, after, limit)
				if err != nil || len(page) > limit || more && len(page) == 0 {
					t.Fatalf("%+v after %v: %v, more %v, %v; want %d targets at most", s, after, page, more, err, limit)
				}
				got = append(got, page...)
				if len(page) > 0 {
					after = page[len(page)-1]
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%+v: %v, want %v", s, got, want)
			}
		}
	})
}

// A choosy takes triggers of some targets, and answers none.
type choosy struct{ takes map[string]bool }

func (c choosy) Deliver(t job.Trigger, _ func(job.Outcome), _ func(int)) bool {
	return c.takes[t.Key.Target.Name]
}

func (choosy) Withdraw(job.Target, int) {}

func TestOverdueJobsAreCountedOnDiskToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions = 8
		s := open(t, vfs.NewMem())
		e, stop := run(t, s, choosy{map[string]bool{"hung": true}}, engine.Config{Partitions: partitions, Loops: 2, MaxInFlight: 60})
		defer func() {
			stop()
			s.Close()
		}()
		now := time.Now().UTC().Round(0)
		oldest := now.Add(-700 * time.Second)
		for i := range 700 {
			mustSchedule(t, e, key("absent", fmt.Sprint(i)), once(oldest.Add(time.Duration(i)*time.Second)))
		}
		for i := range 300 {
			mustSchedule(t, e, key("hung", fmt.Sprint(i)), once(now))
		}
		for i := range 50 {
			mustSchedule(t, e, key("waiting", fmt.Sprint(i)), once(now.Add(time.Hour)))
		}
		time.Sleep(time.Minute)
		targets := []job.Target{key("absent", "").Target, key("hung", "").Target, key("waiting", "").Target, key("unknown", "").Target}
		all, n, err := e.TargetStats(t.Context(), targets, 10_000)
		if err != nil || n != partitions {
			t.Fatalf("TargetStats = %v, about %d partitions, %v; want %d", all, n, err, partitions)
		}
		if want := (engine.TargetStats{Overdue: 700, Exact: true, OldestDue: oldest}); all[0] != want {
			t.Errorf("without a receiver: %+v, want %+v", all[0], want)
		}
		if hung := all[1]; hung.InFlight == 0 || hung.Overdue == 0 || hung.InFlight+hung.Overdue != 300 || !hung.Exact || !hung.OldestDue.Equal(now) {
			t.Errorf("of 300 jobs of a hung app: %+v, want some in flight and the others overdue", hung)
		}
		for i, s := range all[2:] {
			if s != (engine.TargetStats{Exact: true}) {
				t.Errorf("%v: %+v, want nothing", targets[2+i], s)
			}
		}
		all, _, err = e.TargetStats(t.Context(), targets[:1], 100)
		if s := all[0]; err != nil || s.Exact || s.Overdue < 100 || s.Overdue > 700 || !s.OldestDue.Equal(oldest) {
			t.Errorf("at most 100 of 700: %+v, %v, want a floor", s, err)
		}
	})
}

func TestStatsCountPartitionsAndCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, stop := start(t)
		defer stop()
		for i := range 10 {
			mustSchedule(t, e, key("app", fmt.Sprint(i)), once(time.Now().Add(time.Hour)))
		}
		s := e.Stats()
		if s.Owned != e.PartitionCount() || s.Loading != 0 || s.Full || s.Overloaded || s.MaxInFlight == 0 {
			t.Errorf("Stats = %+v, want all %d partitions, and nothing wrong", s, e.PartitionCount())
		}
		if s.Commits < 10 || s.CommitP99 < s.CommitP50 {
			t.Errorf("Stats = %+v, want the times of ten commits or more", s)
		}
	})
}
