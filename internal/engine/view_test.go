package engine_test

import (
	"cmp"
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

// viewKey returns one of many keys: of jobs and reminders, in two namespaces.
func viewKey(r *rand.Rand) job.Key {
	k := job.Key{
		Target: job.Target{Kind: job.Kind(1 + r.IntN(2)), Namespace: []string{"ns", "ns2"}[r.IntN(2)], Name: []string{"a", "ab"}[r.IntN(2)]},
		Name:   fmt.Sprintf("%c-%02d", 'a'+rune(r.IntN(3)), r.IntN(20)),
	}
	if k.Target.Kind == job.Actor {
		k.ActorID = []string{"1", "2"}[r.IntN(2)]
	}
	return k
}

// byKey is the order of pages.
func byKey(a, b job.Key) int {
	return cmp.Or(cmp.Compare(a.Target.Kind, b.Target.Kind), cmp.Compare(a.Target.Namespace, b.Target.Namespace),
		cmp.Compare(a.Target.Name, b.Target.Name), cmp.Compare(a.ActorID, b.ActorID), cmp.Compare(a.Name, b.Name))
}

// viewAll reads all pages of q and checks that each has a few jobs at most.
func viewAll(t *testing.T, e *engine.Engine, q engine.ViewQuery) (all []engine.JobView) {
	t.Helper()
	for {
		p, err := e.ViewPage(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Views) > q.Limit {
			t.Fatalf("a page has %d jobs, want %d at most", len(p.Views), q.Limit)
		}
		all = append(all, p.Views...)
		if p.Next == nil {
			return all
		}
		q.After = p.Next
	}
}

func TestPagesAgreeWithModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, a, stop := start(t)
		defer stop()
		a.answer = func(job.Trigger) (job.Outcome, time.Duration) { return job.Failed, 0 }
		r := rand.New(rand.NewPCG(1, 2))
		model := map[job.Key]time.Time{}
		due := time.Now().Add(time.Hour).UTC().Round(0)
		for range 300 {
			for range 1 + r.IntN(10) {
				k := viewKey(r)
				if r.IntN(3) == 0 {
					if err := e.Delete(t.Context(), k); err != nil {
						t.Fatal(err)
					}
					delete(model, k)
					continue
				}
				at := due.Add(time.Duration(r.IntN(1000)) * time.Second)
				if err := e.Schedule(t.Context(), k, once(at), true); err != nil {
					t.Fatal(err)
				}
				model[k] = at
			}
			some := viewKey(r)
			q := engine.ViewQuery{Limit: 1 + r.IntN(30)}
			if r.IntN(4) > 0 {
				q.Kind = some.Target.Kind
			}
			if r.IntN(4) > 0 {
				q.Namespace = some.Target.Namespace
			}
			if r.IntN(4) > 0 {
				q.Target = some.Target.Name
			}
			if r.IntN(4) > 0 {
				q.ActorID = some.ActorID
			}
			if r.IntN(2) > 0 {
				q.NamePrefix = some.Name[:1+r.IntN(3)]
			}
			if r.IntN(2) > 0 {
				q.Match = func(v *engine.JobView) bool { return v.Due.Second()%2 == 0 }
			}
			var want []job.Key
			for k, at := range model {
				if q.Selects(k) && (q.Match == nil || at.Second()%2 == 0) {
					want = append(want, k)
				}
			}
			slices.SortFunc(want, byKey)
			got := viewAll(t, e, q)
			if len(got) != len(want) {
				t.Fatalf("%+v: %d jobs, want %d", q.Selector, len(got), len(want))
			}
			for i, v := range got {
				if v.Key != want[i] || !v.Due.Equal(model[v.Key]) {
					t.Errorf("%+v: job %d is %v, due %v, want %v, due %v", q.Selector, i, v.Key, v.Due, want[i], model[want[i]])
				}
			}
		}
	})
}

func TestPageReadsABoundedNumberOfJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, stop := start(t)
		defer stop()
		var requests []job.Request
		for i := range 2500 {
			requests = append(requests, job.Request{Key: key("app", fmt.Sprintf("%04d", i)), Spec: once(time.Now().Add(time.Hour))})
		}
		for _, err := range e.ScheduleAll(t.Context(), requests) {
			if err != nil {
				t.Fatal(err)
			}
		}
		q := engine.ViewQuery{Selector: job.Selector{Kind: job.App}, Limit: 10, Match: func(v *engine.JobView) bool { return v.Key.Name == "2400" }}
		for i, want := range []struct {
			found, scanned int
			last           string
		}{{0, 1000, "0999"}, {0, 1000, "1999"}, {1, 500, "2499"}} {
			p, err := e.ViewPage(t.Context(), q)
			if err != nil || len(p.Views) != want.found || p.Scanned != want.scanned || p.Last.Name != want.last || (p.Next == nil) != (i == 2) {
				t.Errorf("page %d has %d jobs, scanned %d through %s, %v; want %+v", i, len(p.Views), p.Scanned, p.Last.Name, err, want)
			}
			q.After = p.Next
		}
	})
}

// A refusingApp takes no trigger while it is full.
type refusingApp struct {
	app

	full bool
	wake func(int)
}

func (a *refusingApp) Deliver(t job.Trigger, done func(job.Outcome), wake func(int)) bool {
	a.mu.Lock()
	full := a.full
	if full {
		a.wake = wake
	}
	a.mu.Unlock()
	return !full && a.app.Deliver(t, done, wake)
}

func TestProgressSaysWhatHoldsADueJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, vfs.NewMem())
		defer s.Close()
		a := &refusingApp{full: true}
		e, stop := run(t, s, a, engine.Config{})
		defer stop()
		a.answer = func(job.Trigger) (job.Outcome, time.Duration) { return job.Failed, time.Hour }
		k := key("app", "a")
		due := time.Now().Add(time.Second)
		mustSchedule(t, e, k, once(due))
		expect := func(want engine.Holdup, since time.Time) {
			t.Helper()
			got, err := e.Progress(t.Context(), []job.Key{k})
			if err != nil || got[0].Holdup != want || !got[0].Since.Equal(since) {
				t.Errorf("Progress = %v, %v, want %v since %v", got, err, want, since)
			}
		}
		time.Sleep(time.Minute)
		expect(engine.HoldupParked, due)
		a.mu.Lock()
		a.full = false
		a.mu.Unlock()
		sent := time.Now()
		a.wake(1)
		time.Sleep(time.Minute)
		expect(engine.HoldupInFlight, sent)
		mustReplace(t, e, k, once(time.Now()))
		time.Sleep(time.Minute)
		expect(engine.HoldupReplaced, sent)
		time.Sleep(time.Hour)
		v, err := e.Views(t.Context(), []job.Key{k, key("app", "b")})
		if err != nil || v[0].Spec == nil || v[1].Spec != nil {
			t.Errorf("Views = %v, %v, want the job, and none", v, err)
		}
	})
}

func mustReplace(t *testing.T, e *engine.Engine, k job.Key, s job.Spec) {
	t.Helper()
	if err := e.Schedule(t.Context(), k, s, true); err != nil {
		t.Fatal(err)
	}
}

func TestViewShowsARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, a, stop := start(t)
		defer stop()
		a.answer = func(job.Trigger) (job.Outcome, time.Duration) { return job.Failed, 0 }
		due := time.Now().Add(time.Second).UTC().Round(0)
		spec := every(due, time.Hour)
		spec.Policy = job.Policy{Interval: new(time.Minute)}
		mustSchedule(t, e, key("app", "a"), spec)
		time.Sleep(30 * time.Second)
		v, err := e.Views(t.Context(), []job.Key{key("app", "a")})
		if err != nil || v[0].State.Attempts != 1 || !v[0].Occurrence.Equal(due) || !v[0].Due.Equal(due.Add(time.Minute)) {
			t.Errorf("Views = %+v, %v, want one failed attempt at %v", v, err, due)
		}
	})
}

func TestProgressWithoutOwnership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, vfs.NewMem())
		defer s.Close()
		e := engine.New(engine.Config{Shared: true}, s, &app{}, logTo(t))
		got, err := e.Progress(t.Context(), []job.Key{key("app", "a")})
		if err != nil || got[0].Holdup != engine.HoldupNotOwner {
			t.Errorf("Progress of an engine without partitions = %v, %v, want HoldupNotOwner", got, err)
		}
	})
}
