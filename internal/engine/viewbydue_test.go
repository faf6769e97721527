package engine_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/engine"
	"carillon/internal/job"
)

// A place is where a job stands in due order.
type place struct {
	due time.Time
	key job.Key
}

func byPlace(a, b place) int { return cmp.Or(a.due.Compare(b.due), byKey(a.key, b.key)) }

func placeOf(v engine.JobView) place { return place{v.Due, v.Key} }

// randomQuery returns a query in due order that selects some of the jobs of viewKey.
func randomQuery(r *rand.Rand) engine.ViewQuery {
	some := viewKey(r)
	q := engine.ViewQuery{Order: engine.ByDue, Limit: 1 + r.IntN(30)}
	if r.IntN(3) == 0 {
		q.Kind = some.Target.Kind
	}
	if r.IntN(3) == 0 {
		q.Namespace = some.Target.Namespace
	}
	if r.IntN(3) == 0 {
		q.Target = some.Target.Name
	}
	if r.IntN(4) == 0 {
		q.ActorID = some.ActorID
	}
	if r.IntN(4) == 0 {
		q.NamePrefix = some.Name[:1+r.IntN(3)]
	}
	if r.IntN(3) == 0 {
		q.Match = func(v *engine.JobView) bool { return v.Key.Name[len(v.Key.Name)-1]%2 == 0 }
	}
	return q
}

func selects(q engine.ViewQuery, v engine.JobView) bool {
	return q.Selects(v.Key) && (q.Match == nil || q.Match(&v))
}

func TestDueOrderAgreesWithModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, vfs.NewMem())
		defer s.Close()
		e, stop := run(t, s, &app{}, engine.Config{Partitions: 4})
		defer stop()
		r := rand.New(rand.NewPCG(3, 4))
		model := map[job.Key]time.Time{}
		due := time.Now().Add(time.Hour).UTC().Round(0)
		for range 120 {
			for range 1 + r.IntN(10) {
				k := viewKey(r)
				if r.IntN(3) == 0 {
					if err := e.Delete(t.Context(), k); err != nil {
						t.Fatal(err)
					}
					delete(model, k)
					continue
				}
				model[k] = due.Add(time.Duration(r.IntN(60)) * time.Second) // several are due at one instant
				if err := e.Schedule(t.Context(), k, once(model[k]), true); err != nil {
					t.Fatal(err)
				}
			}
			q := randomQuery(r)
			var want, got []place
			for k, at := range model {
				if selects(q, engine.JobView{Key: k}) {
					want = append(want, place{at, k})
				}
			}
			slices.SortFunc(want, byPlace)
			for _, v := range viewAll(t, e, q) {
				got = append(got, placeOf(v))
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%+v: %d jobs, want %d:\n%v\n%v", q.Selector, len(got), len(want), got, want)
			}
		}
	})
}

// TestUnchangedJobsAreListedOnce reads pages in due order, while jobs between them fire, fail, are
// scheduled, replaced and deleted. Each job that stays in its place is on one page.
func TestUnchangedJobsAreListedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, vfs.NewMem())
		defer s.Close()
		a := &refusingApp{}
		e, stop := run(t, s, a, engine.Config{Partitions: 4})
		defer stop()
		r, answers := rand.New(rand.NewPCG(9, 10)), rand.New(rand.NewPCG(11, 12))
		var mu sync.Mutex // guards answers
		a.answer = func(job.Trigger) (job.Outcome, time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			return []job.Outcome{job.Handled, job.Failed, job.Lost}[answers.IntN(3)], time.Duration(answers.IntN(3000)) * time.Millisecond
		}
		var touched map[job.Key]bool // since the first page
		change := func() {
			k := viewKey(r)
			touched[k] = true
			at := time.Now().Add(time.Duration(r.IntN(40)-2) * time.Second).UTC().Round(0)
			spec := once(at)
			if r.IntN(2) == 0 {
				spec = every(at, time.Duration(5+r.IntN(60))*time.Second)
			}
			spec.Policy = job.Policy{Interval: new(time.Duration(r.IntN(40)) * time.Second)}
			var err error
			if r.IntN(4) == 0 {
				err = e.Delete(t.Context(), k)
			} else {
				err = e.Schedule(t.Context(), k, spec, true)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		seen := map[string]int{}
		for range 100 {
			touched = map[job.Key]bool{}
			for range r.IntN(30) {
				change()
			}
			touched = map[job.Key]bool{}
			a.mu.Lock()
			a.full = r.IntN(4) == 0
			wake := a.wake
			a.mu.Unlock()
			if wake != nil {
				wake(10)
			}
			q := randomQuery(r)
			q.Limit = 3 + r.IntN(10)
			before := map[job.Key]time.Time{}
			for _, v := range viewAll(t, e, engine.ViewQuery{Selector: q.Selector, Match: q.Match, Limit: 100}) {
				before[v.Key] = v.Due
			}
			var got []place
			for {
				page, err := e.ViewPage(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				if len(page.Views) > q.Limit {
					t.Fatalf("a page has %d jobs, want %d at most", len(page.Views), q.Limit)
				}
				for _, v := range page.Views {
					got = append(got, placeOf(v))
				}
				if q.After = page.Next; q.After == nil {
					break
				}
				for range r.IntN(4) {
					change()
				}
				if r.IntN(10) == 0 { // a list that is read more slowly than jobs fire has no end
					time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
				}
			}
			if !slices.IsSortedFunc(got, byPlace) {
				t.Fatalf("%+v: not in due order: %v", q.Selector, got)
			}
			count := map[job.Key]int{}
			for _, p := range got {
				count[p.key]++
			}
			for _, v := range viewAll(t, e, engine.ViewQuery{Selector: q.Selector, Match: q.Match, Limit: 100}) {
				if due, ok := before[v.Key]; !ok || touched[v.Key] || !due.Equal(v.Due) {
					seen["changed"]++
					continue
				}
				seen["unchanged"]++
				if v.State.Attempts > 0 {
					seen["retrying"]++
				}
				if v.Due.Before(time.Now()) {
					seen["due"]++
				}
				if count[v.Key] != 1 || !slices.Contains(got, placeOf(v)) {
					t.Fatalf("%+v: %v, due %v, is listed %d times, want once: %v", q.Selector, v.Key, v.Due, count[v.Key], got)
				}
			}
		}
		for _, what := range []string{"changed", "unchanged", "retrying", "due"} {
			if seen[what] < 20 { // how many depends on the order of goroutines
				t.Errorf("%d jobs were %s, want many: %v", seen[what], what, seen)
			}
		}
	})
}

func TestAnyNodeListsInDueOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, vfs.NewMem())
		defer s.Close()
		e, stop := run(t, s, &app{}, engine.Config{})
		defer stop()
		begin := time.Now().Add(time.Hour)
		for i := range 100 {
			mustSchedule(t, e, key(fmt.Sprint("app", i%7), fmt.Sprint(i)), once(begin.Add(time.Duration(i*37%100)*time.Second)))
		}
		other := engine.New(engine.Config{Shared: true}, s, &app{}, logTo(t)) // owns no partition
		got := viewAll(t, other, engine.ViewQuery{Order: engine.ByDue, Limit: 7})
		for i, v := range got {
			if want := begin.Add(time.Duration(i) * time.Second); !v.Due.Equal(want) {
				t.Errorf("job %d is due %v, want %v", i, v.Due, want)
			}
		}
		if len(got) != 100 {
			t.Errorf("it lists %d jobs, want 100", len(got))
		}
	})
}

func TestFilteredPageInDueOrderReadsABoundedNumberOfJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, stop := start(t)
		defer stop()
		begin := time.Now().Add(time.Hour).UTC().Round(0)
		var requests []job.Request
		for i := range 2500 {
			requests = append(requests, job.Request{Key: key("app", fmt.Sprintf("%04d", i)), Spec: once(begin.Add(time.Duration(i) * time.Second))})
		}
		requests[40].Spec.Data = &job.Data{Value: make([]byte, 1<<20+1)}
		for _, err := range e.ScheduleAll(t.Context(), requests) {
			if err != nil {
				t.Fatal(err)
			}
		}
		q := engine.ViewQuery{Order: engine.ByDue, Limit: 10, Match: func(v *engine.JobView) bool { return v.Key.Name == "2400" }}
		for i, want := range []struct {
			found, scanned int
			last           string
		}{{0, 42, "0041"}, {0, 1000, "1041"}, {0, 1000, "2041"}, {1, 458, "2499"}} {
			p, err := e.ViewPage(t.Context(), q)
			if err != nil || len(p.Views) != want.found || p.Scanned != want.scanned || p.Last.Name != want.last || (p.Next == nil) != (i == 3) {
				t.Errorf("page %d has %d jobs, scanned %d through %s, %v; want %+v", i, len(p.Views), p.Scanned, p.Last.Name, err, want)
			}
			q.After = p.Next
		}
		if _, err := e.ViewPage(t.Context(), engine.ViewQuery{Order: engine.ByDue, Limit: 1, After: []byte("forged")}); !errors.Is(err, engine.ErrCursor) {
			t.Errorf("a page from a forged cursor: %v, want ErrCursor", err)
		}
	})
}
