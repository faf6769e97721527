package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/logtest"
	"carillon/internal/store"
)

// A fullStore takes nothing but deletions while full is set, as etcd does when its quota is exceeded.
type fullStore struct {
	store.Store
	full    atomic.Bool
	refused atomic.Int32
}

func (s *fullStore) Commit(ctx context.Context, b *store.Batch) error {
	for _, w := range b.Writes {
		if s.full.Load() && !w.Remove {
			s.refused.Add(1)
			return fmt.Errorf("no space: %w", job.ErrFull)
		}
	}
	return s.Store.Commit(ctx, b)
}

// startFull runs an engine on a store that can become full.
func startFull(t *testing.T, a *app) (*engine.Engine, *fullStore) {
	t.Helper()
	db := open(t, vfs.NewMem())
	s := &fullStore{Store: db}
	e, stop := run(t, s, a, engine.Config{Loops: 1})
	t.Cleanup(func() {
		stop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, s
}

func TestFullStoreFiresOnAndNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{answer: func(tr job.Trigger) (job.Outcome, time.Duration) {
			if tr.Key.Name == "fails" && tr.Attempt == 0 {
				return job.Failed, 0
			}
			return job.Handled, 10 * time.Millisecond
		}}
		e, s := startFull(t, a)
		const shots, ticks = 3000, 10
		first := time.Now().Add(time.Second)
		for i := range shots { // more than windows hold, over a minute
			mustSchedule(t, e, key("shots", fmt.Sprint(i)), once(first.Add(time.Duration(i)*20*time.Millisecond)))
		}
		for i := range ticks {
			mustSchedule(t, e, key("ticks", fmt.Sprint(i)), every(first, time.Second))
		}
		mustSchedule(t, e, key("fails", "fails"), once(first))
		mustSchedule(t, e, key("late", "late"), once(first.Add(time.Hour)))

		time.Sleep(10500 * time.Millisecond) // and each tick has come ten times
		s.full.Store(true)
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if got, want := count(t, a, "shots"), 50*59; got < want {
			t.Errorf("%d one-shots came in a store that takes only deletions, want %d and more", got, want)
		}
		if got := count(t, a, "ticks"); got != 11*ticks {
			t.Errorf("%d ticks came, want ten of each, and one whose outcome cannot be recorded", got)
		}
		stored := 0
		for _, err := range e.List(t.Context(), job.Prefix{Kind: job.App, Namespace: "ns", Parts: []string{"shots"}}) {
			if err != nil {
				t.Fatal(err)
			}
			stored++
		}
		if stored > 100 {
			t.Errorf("%d one-shots are stored, though they were handled", stored)
		}
		if err := e.Schedule(t.Context(), key("new", "new"), once(first), true); !errors.Is(err, job.ErrFull) {
			t.Errorf("Schedule = %v, want ErrFull", err)
		}
		if err := e.Delete(t.Context(), key("late", "late")); err != nil {
			t.Errorf("Delete = %v", err)
		}
		if n := s.refused.Load(); n > 30 {
			t.Errorf("%d commits were tried in 50 s, want some", n)
		}

		s.full.Store(false)
		time.Sleep(time.Minute)
		mustSchedule(t, e, key("new", "new"), once(time.Now()))
		synctest.Wait()
		seen := map[string]int{}
		for _, tr := range a.triggers(t) {
			seen[fmt.Sprint(tr.Key, tr.Due, tr.Attempt)]++
		}
		for what, n := range seen {
			if n > 1 {
				t.Errorf("%s came %d times", what, n)
			}
		}
		if got := count(t, a, "shots"); got != shots {
			t.Errorf("%d one-shots came, want %d", got, shots)
		}
		if got, want := count(t, a, "ticks"), ticks*(10+50+60); got < want {
			t.Errorf("%d ticks came when there was room again, want all that were missed: %d", got, want)
		}
		if got := count(t, a, "fails"); got != 2 {
			t.Errorf("the job that failed once came %d times, want 2", got)
		}
		if got := count(t, a, "late"); got != 0 {
			t.Error("a job came that was deleted while the store was full")
		}
	})
}

func TestFullStoreIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		s, a := &fullStore{Store: db}, &app{}
		var said logtest.Page
		e, stop := runWith(t, s, a, engine.Config{Loops: 1}, slog.New(slog.NewTextHandler(&said, nil)))
		defer stop()
		mustSchedule(t, e, key("app", "ticks"), every(time.Now(), time.Second))
		for n := range 3 {
			s.full.Store(true)
			time.Sleep(10 * time.Second)
			s.full.Store(false)
			time.Sleep(10 * time.Second)
			full, again := strings.Count(said.String(), "the store is full: only deletions"), strings.Count(said.String(), "the store accepts new data again")
			if full != n+1 || again != n+1 {
				t.Errorf("of %d times it was logged %d times that the store is full, and %d times that it accepts new data", n+1, full, again)
			}
		}
	})
}

func TestLostTriggerIsRepeatedWhileStoreIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{answer: func(tr job.Trigger) (job.Outcome, time.Duration) {
			if tr.Key.Target.Name == "lost" {
				return job.Lost, time.Second
			}
			return job.Handled, 0
		}}
		e, s := startFull(t, a)
		mustSchedule(t, e, key("full", "ticks"), every(time.Now().Add(time.Millisecond), time.Hour))
		mustSchedule(t, e, key("lost", "ticks"), every(time.Now().Add(19*time.Second), time.Hour))
		s.full.Store(true)
		time.Sleep(19 * time.Second) // the store is tried every 5 s by now, which is not about to be
		refused := s.refused.Load()
		time.Sleep(1100 * time.Millisecond)
		if got := count(t, a, "lost"); got != 2 || s.refused.Load() != refused || refused < 3 {
			t.Errorf("%d triggers came in a store that had refused %d commits, and then %d; want two: the first was lost", got, refused, s.refused.Load())
		}
	})
}

func count(t *testing.T, a *app, target string) int {
	t.Helper()
	n := 0
	for _, tr := range a.triggers(t) {
		if tr.Key.Target.Name == target {
			n++
		}
	}
	return n
}

func TestKeptOutcomesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{}
		e, s := startFull(t, a)
		first := time.Now().Add(time.Minute)
		jobs := make([]job.Request, 5500)
		for i := range jobs {
			jobs[i] = job.Request{Key: key(fmt.Sprint("app", i%10), fmt.Sprint(i)), Spec: every(first.Add(time.Duration(i)*10*time.Millisecond), 24*time.Hour)}
		}
		if err := errors.Join(e.ScheduleAll(t.Context(), jobs)...); err != nil {
			t.Fatal(err)
		}
		s.full.Store(true)
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if got := len(a.triggers(t)); got < 4096 || got > 4096+100 {
			t.Errorf("%d triggers came whose outcomes cannot be recorded, want 4096 and some", got)
		}
		s.full.Store(false)
		time.Sleep(time.Minute)
		if got := len(a.triggers(t)); got != len(jobs) {
			t.Errorf("%d triggers came when there was room again, want %d", got, len(jobs))
		}
	})
}
