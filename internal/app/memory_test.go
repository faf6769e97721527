package app

import (
	"testing"

	"carillon/internal/memory"
	"carillon/internal/store/etcdmember"
)

func TestMemberTakesItsShareUnlessToldOtherwise(t *testing.T) {
	shares := memory.Shares{RaftEntries: 400, BackendBatch: 256}
	got := fit(etcdmember.Config{}, shares)
	if got.SnapshotCount != 400 || got.CatchUpEntries != 400 || got.BatchLimit != 256 {
		t.Errorf("%d, %d and %d; want 400, 400 and 256", got.SnapshotCount, got.CatchUpEntries, got.BatchLimit)
	}
	got = fit(etcdmember.Config{SnapshotCount: 1, BatchLimit: 2}, shares)
	if got.SnapshotCount != 1 || got.BatchLimit != 2 {
		t.Errorf("told to have 1 and 2, it has %d and %d", got.SnapshotCount, got.BatchLimit)
	}
}
