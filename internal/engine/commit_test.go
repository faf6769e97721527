package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/store"
)

// stall runs an engine of one loop that keeps a job that is due after that time, on a disk that
// answers no more but when it is told to.
func blockedTime(t *testing.T, name string, after time.Duration) (e *engine.Engine, a *app, syncs chan error, stop func()) {
	t.Helper()
	return stallOver(t, name, after, 0)
}

// stallOver is stall over a store that takes so long for each read.
func stallOver(t *testing.T, name string, after, read time.Duration) (e *engine.Engine, a *app, syncs chan error, stop func()) {
	t.Helper()
	db, a := open(t, vfs.NewMem()), &app{}
	s := slowStore{slowReads{db, read}, make(chan error, 2)}
	e, halt := run(t, s, a, engine.Config{Loops: 1})
	s.syncs <- nil // for the format
	s.syncs <- nil
	mustSchedule(t, e, key("app", name), once(time.Now().Add(after)))
	return e, a, s.syncs, func() {
		halt()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestDueJobsFireDuringCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, a, syncs, stop := blockedTime(t, "soon", time.Minute)
		answered := make(chan error, 1)
		go func() {
			answered <- e.Schedule(t.Context(), key("app", "other"), once(time.Now().Add(time.Hour)), false)
		}()
		time.Sleep(2 * time.Minute) // and the disk does not answer
		if got := len(a.triggers(t)); got != 1 || a.late != 0 {
			t.Errorf("got %d triggers, the latest %v late; want one, on time", got, a.late)
		}
		close(syncs)
		if err := <-answered; err != nil {
			t.Error(err)
		}
		stop()
	})
}

func TestOnlyDurableJobsFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, a, syncs, stop := blockedTime(t, "replaced", 2*time.Minute)
		answered := make(chan error, 1)
		schedule := func(name string, in time.Duration) {
			answered <- e.Schedule(t.Context(), key("app", name), once(time.Now().Add(in)), true)
		}
		go schedule("replaced", time.Minute)
		time.Sleep(5 * time.Minute) // and the disk does not answer
		if got := a.triggers(t); len(got) != 0 {
			t.Errorf("got %v", got)
		}
		close(syncs)
		if err := <-answered; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := a.triggers(t); len(got) != 1 {
			t.Errorf("got %d triggers when the disk had answered; want one", len(got))
		}
		stop()
	})
}

func TestTriggersFiredDuringFailedCommitAreNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, a, syncs, stop := blockedTime(t, "soon", time.Minute)
		answered := make(chan error, 1)
		go func() {
			answered <- e.Schedule(t.Context(), key("app", "other"), once(time.Now().Add(time.Hour)), false)
		}()
		time.Sleep(2 * time.Minute)
		syncs <- errors.New("input/output error")
		if err := <-answered; !errors.Is(err, job.ErrUnavailable) {
			t.Errorf("Schedule = %v, want ErrUnavailable", err)
		}
		close(syncs)
		time.Sleep(2 * time.Hour)
		stop()
		count := map[string]int{}
		for _, tr := range a.triggers(t) {
			count[tr.Key.Name]++
		}
		// The machine forgot what it knew, and with it who was out.
		if diff := cmp.Diff(map[string]int{"soon": 2, "other": 1}, count); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
	})
}

func TestNothingFiresAfterFailedCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		due := time.Now().Add(10 * time.Minute)
		e, a, syncs, stop := stallOver(t, "soon", time.Until(due), time.Minute)
		answered := make(chan error, 1)
		go func() {
			answered <- e.Schedule(t.Context(), key("app", "other"), once(time.Now().Add(24*time.Hour)), false)
		}()
		time.Sleep(time.Until(due.Add(30 * time.Second))) // it is being read
		syncs <- errors.New("the store does not answer")
		if err := <-answered; !errors.Is(err, job.ErrUnavailable) {
			t.Errorf("Schedule = %v, want ErrUnavailable", err)
		}
		close(syncs)
		time.Sleep(time.Hour)
		stop()
		if got := a.triggers(t); len(got) != 1 {
			t.Errorf("got %d triggers; want one: what leaves when the commit has failed is not believed, and leaves again", len(got))
		}
	})
}

// slowReads is a store that takes so long for each read.
type slowReads struct {
	store.Store
	read time.Duration
}

func (s slowReads) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	time.Sleep(s.read)
	return s.Store.Get(ctx, keys...)
}
