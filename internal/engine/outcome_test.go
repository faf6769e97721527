package engine_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/store"
)

// A deafStore cannot be read from while deaf is set.
type deafStore struct {
	store.Store
	deaf *atomic.Bool
}

func (s deafStore) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	if s.deaf.Load() {
		return nil, errors.New("input/output error")
	}
	return s.Store.Get(ctx, keys...)
}

func TestOutcomeInFailedTurnIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		var deaf atomic.Bool
		a := &app{answer: func(job.Trigger) (job.Outcome, time.Duration) { return job.Handled, time.Second }}
		e, stop := run(t, deafStore{db, &deaf}, a, engine.Config{Partitions: 1})
		defer stop()
		begin := time.Now()
		mustSchedule(t, e, key("app", "out"), once(begin))
		mustSchedule(t, e, key("app", "read"), once(begin.Add(time.Second))) // in the turn of the first one's outcome
		time.Sleep(500 * time.Millisecond)
		deaf.Store(true)
		time.Sleep(time.Second)
		deaf.Store(false)
		time.Sleep(time.Minute)
		var names []string
		for _, tr := range a.triggers(t) {
			names = append(names, tr.Key.Name)
		}
		slices.Sort(names)
		if want := []string{"out", "out", "read"}; !slices.Equal(names, want) {
			t.Errorf("delivered %v, want %v", names, want)
		}
	})
}
