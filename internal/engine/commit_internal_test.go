package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"carillon/internal/engine/quarantine"
	"carillon/internal/job"
	"carillon/internal/store"
)

// A checkedStore calls check with each batch, and returns its error.
type checkedStore struct {
	store.Store
	check func(b *store.Batch) error
}

func (s checkedStore) Commit(_ context.Context, b *store.Batch) error { return s.check(b) }

func TestBatchInCommitIsNotModified(t *testing.T) {
	commits := 0
	s := checkedStore{openStore(t), nil}
	lp := newLoop([]int{0}, Config{Partitions: 1, Loops: 1, Inbox: 1, MaxInFlight: 1, Now: time.Now}, nil, &s, nil, logTo(t), newMetrics(nil), quarantine.New(nil, 1, logTo(t), nil), newGivenUp(logTo(t)))
	s.check = func(b *store.Batch) error {
		commits++
		lp.machine.Batch.Delete([]byte("another"))
		if string(b.Writes[0].Key) != "key" {
			t.Errorf("commit %d: the batch now begins with %q", commits, b.Writes[0].Key)
		}
		if commits == 2 {
			return errors.New("input/output error")
		}
		return nil
	}
	for range 4 {
		lp.machine.Reset()
		lp.machine.Batch.Put([]byte("key"), nil)
		_ = lp.commitTurn(t.Context(), work{keys: map[job.Key]struct{}{}}, nil, turnLimits{})
	}
	if commits != 4 {
		t.Errorf("%d commits, want 4", commits)
	}
}
