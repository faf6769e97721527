package engine_test

import (
	"errors"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/engine"
	"carillon/internal/job"
)

// awaitedEvent is a workflow's reminder of an event that it awaits without a timeout.
func awaitedEvent() (job.Key, job.Spec) {
	s := once(time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC))
	s.Words.DueTime = new("9999-12-31T23:59:59.999999999Z")
	s.Policy = job.Policy{Interval: new(time.Second)}
	s.AppID = "app"
	k := job.Key{Target: job.Target{Kind: job.Actor, Namespace: "ns", Name: "dapr.internal.ns.app.workflow"}, ActorID: "instance", Name: "timer-0"}
	return k, s
}

func list(t *testing.T, e *engine.Engine, p job.Prefix) []job.Item {
	t.Helper()
	var all []job.Item
	for item, err := range e.List(t.Context(), p) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, item)
	}
	return all
}

func figure(t *testing.T, r *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetHistogram().GetSampleSum()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func TestJobOfYear9999IsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, a := vfs.NewMem(), &app{}
		k, want := awaitedEvent()
		mine := job.Prefix{Kind: job.Actor, Namespace: "ns", Parts: []string{k.Target.Name, k.ActorID}}
		for restarts := range 3 {
			s, r := open(t, disk), prometheus.NewRegistry()
			e, stop := run(t, s, a, engine.Config{Metrics: r})
			if restarts == 0 {
				mustSchedule(t, e, k, want)
				if err := e.Schedule(t.Context(), k, want, true); err != nil { // as workflows do
					t.Fatal(err)
				}
			}
			time.Sleep(100 * 24 * time.Hour)
			synctest.Wait()
			if err := e.Health(); err != nil {
				t.Errorf("the engine is unhealthy: %v", err)
			}
			if got, _, err := e.Get(t.Context(), k); err != nil || !cmp.Equal(got.Words, want.Words) || got.Plan.First != want.Plan.First {
				t.Errorf("Get = %+v, %v, want it as it was given", got, err)
			}
			if all := list(t, e, mine); len(all) != 1 || all[0].Key != k {
				t.Errorf("the list is %v, want the one job", all)
			}
			if lanes, entries := figure(t, r, "carillon_lanes"), figure(t, r, "carillon_window_entries"); lanes != 1 || entries != 1 {
				t.Errorf("%v jobs in %v lanes are counted, want one in one", entries, lanes)
			}
			if restarts == 2 {
				if err := e.Delete(t.Context(), k); err != nil {
					t.Error(err)
				}
				if _, _, err := e.Get(t.Context(), k); !errors.Is(err, job.ErrNotFound) {
					t.Errorf("when it is deleted, Get = %v", err)
				}
				if lanes := figure(t, r, "carillon_lanes"); lanes != 0 {
					t.Errorf("when it is deleted, %v lanes are counted", lanes)
				}
			}
			stop()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if got := a.triggers(t); len(got) > 0 {
			t.Errorf("it was delivered: %v", got)
		}
	})
}

// It comes among the jobs of its app that are due sooner, in the order of their instants, and holds none of them up.
func TestJobsOfAllYearsFireInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{}
		s, r := open(t, vfs.NewMem()), prometheus.NewRegistry()
		defer s.Close()
		e, stop := run(t, s, a, engine.Config{Partitions: 1, Metrics: r})
		defer stop()
		var want []time.Time
		for year := 1; year < 10_000; year += 7 {
			due := time.Date(year, 2, 3, 4, 5, 6, 7, time.UTC)
			mustSchedule(t, e, key("app", due.String()), once(due))
			if due.Before(time.Now()) {
				want = append(want, due)
			}
		}
		soon := time.Now().Add(time.Hour)
		mustSchedule(t, e, key("app", "soon"), once(soon))
		want = append(want, soon.UTC())
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		var got []time.Time
		for _, tr := range a.triggers(t) {
			got = append(got, tr.Due)
		}
		slices.SortStableFunc(got, time.Time.Compare) // each was scheduled after those before it had fired
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if late := figure(t, r, "carillon_lateness_seconds"); late != 0 { // each was fired when it was scheduled
			t.Errorf("they were late by %v seconds together, want 0", late)
		}
	})
}

// A node whose clock shows the last seconds in which nanoseconds fit into 64 bits goes on, through a restart.
func TestScheduleContinuesAfter2262(t *testing.T) {
	for name, edge := range map[string]time.Time{
		"2262": time.Unix(0, math.MaxInt64).UTC(), "9999": time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clock := clockAt(edge.Add(-5 * time.Second))
				a, disk := &farApp{now: clock}, vfs.NewMem()
				spec := every(time.Time{}, time.Second)
				spec.Words.DueTime, spec.Words.TTL = new("1s"), new("P1D")
				if err := spec.Resolve(clock()); err != nil {
					t.Fatal(err)
				}
				for restart := range 3 {
					s := open(t, disk)
					e, stop := run(t, s, a, engine.Config{Now: clock})
					if restart == 0 {
						mustSchedule(t, e, key("app", "tick"), spec)
					}
					time.Sleep(4500 * time.Millisecond)
					synctest.Wait()
					if err := e.Health(); err != nil {
						t.Error(err)
					}
					stop()
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
				}
				if len(a.due) != 13 {
					t.Errorf("got %d triggers, want 13", len(a.due))
				}
				for i, due := range a.due {
					if want := edge.Add(time.Duration(i-4) * time.Second); due != want || a.late[i] != 0 {
						t.Errorf("trigger %d was due at %v and %v late, want %v", i, due, a.late[i], want)
					}
				}
			})
		})
	}
}

// clockAt returns a clock that shows t now.
func clockAt(t time.Time) func() time.Time {
	begun := time.Now()
	return func() time.Time { return t.Add(time.Since(begun)) }
}

// A farApp is an app whose clock is another.
type farApp struct {
	now  func() time.Time
	due  []time.Time
	late []time.Duration
}

func (a *farApp) Deliver(t job.Trigger, done func(job.Outcome), _ func(int)) bool {
	a.due, a.late = append(a.due, t.Due), append(a.late, a.now().Sub(t.Due))
	time.AfterFunc(0, func() { done(job.Handled) })
	return true
}

func (*farApp) Withdraw(job.Target, int) {}
