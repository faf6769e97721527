package app

import (
	"testing"

	"carillon/internal/memory"
	"carillon/internal/store/etcdmember"
)

func TestMemberDefaultsComeFromMemoryBudget(t *testing.T) {
	shares := memory.Shares{RaftEntries: 400, BackendBatch: 256}
	got := memberDefaults(etcdmember.Config{}, shares)
	if got.SnapshotCount != 400 || got.CatchUpEntries != 400 || got.BatchLimit != 256 {
		t.Errorf("%d, %d and %d; want 400, 400 and 256", got.SnapshotCount, got.CatchUpEntries, got.BatchLimit)
	}
	got = memberDefaults(etcdmember.Config{SnapshotCount: 1, BatchLimit: 2}, shares)
	if got.SnapshotCount != 1 || got.BatchLimit != 2 {
		t.Errorf("with 1 and 2 configured, got %d and %d", got.SnapshotCount, got.BatchLimit)
	}
}
