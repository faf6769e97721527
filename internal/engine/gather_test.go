package engine_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/store"
)

// A distantStore takes a while for each commit, as one does that several nodes agree on, and counts them.
type distantStore struct {
	*registry
	takes   time.Duration
	commits atomic.Int64
}

func (s *distantStore) Commit(ctx context.Context, b *store.Batch) error {
	s.commits.Add(1)
	time.Sleep(s.takes)
	return s.registry.Commit(ctx, b)
}

// distant runs an engine that shares such a store, and owns the only partition of it.
func distant(t *testing.T, a *app, takes time.Duration) (n *node, s *distantStore) {
	t.Helper()
	s = &distantStore{registry: newRegistry(t), takes: takes}
	e, stop := run(t, s, a, engine.Config{Partitions: 1, Shared: true})
	n = &node{Engine: e, registry: s.registry, stop: map[int]func(){}}
	n.own(t, 0)
	t.Cleanup(func() {
		n.leave(0)
		stop()
	})
	time.Sleep(time.Minute)
	s.commits.Store(0)
	return n, s
}

// crowd has so many callers begin a millisecond apart, and each schedule so many jobs, one after the other, with a rest
// between them. It returns how long that took.
func crowd(t *testing.T, e *engine.Engine, callers, each int, rest time.Duration) time.Duration {
	t.Helper()
	begin := time.Now()
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			time.Sleep(time.Duration(c) * time.Millisecond)
			for i := range each {
				if err := e.Schedule(t.Context(), key("app", fmt.Sprintf("%d-%d", c, i)), once(begin.Add(time.Hour)), false); err != nil {
					t.Error(err)
				}
				time.Sleep(rest)
			}
		})
	}
	all.Wait()
	return time.Since(begin)
}

func TestCallersThatAskAgainAtOnceShareEachCommitOfASharedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers, each = 10, 50
		n, s := distant(t, &app{}, 20*time.Millisecond)
		took := crowd(t, n.Engine, callers, each, time.Millisecond)
		// Two groups that take turns would need two commits for each of a caller's jobs.
		if got := s.commits.Load(); got > each+2 {
			t.Errorf("%d callers with %d jobs each: %d commits", callers, each, got)
		}
		if most := each*25*time.Millisecond + 50*time.Millisecond; took > most {
			t.Errorf("they took %v, want at most %v", took, most)
		}
	})
}

func TestWhoIsAloneIsNotKeptWaitingForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const each = 50
		n, _ := distant(t, &app{}, 20*time.Millisecond)
		if took := crowd(t, n.Engine, 1, each, 0); took != each*20*time.Millisecond {
			t.Errorf("%d jobs took %v", each, took)
		}
	})
}

func TestWhatIsDueDoesNotWaitForCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{}
		n, _ := distant(t, a, 20*time.Millisecond)
		due := time.Now().Add(time.Second)
		requests := make([]job.Request, 8)
		for i := range requests {
			requests[i] = job.Request{Key: key("other", fmt.Sprint(i)), Spec: once(due.Add(time.Duration(i) * 37 * time.Millisecond))}
		}
		for _, err := range n.ScheduleAll(t.Context(), requests)(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Until(due) - 100*time.Millisecond)
		crowd(t, n.Engine, 10, 50, time.Millisecond)
		if got := len(a.triggers(t)); got != len(requests) || a.late != 0 {
			t.Errorf("got %d triggers, the latest %v late; want %d, on time", got, a.late, len(requests))
		}
	})
}
