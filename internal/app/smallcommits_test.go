package app

import (
	"testing"

	"carillon/internal/memory"
	"carillon/internal/store"
	"carillon/internal/store/etcdmember"
)

// A large store is one of which only MaxBatch is asked.
type large struct{ store.Store }

func (large) MaxBatch() (writes, bytes int) { return 4096, 4 << 20 }

func TestCommitsAreNoLargerThanTheirShare(t *testing.T) {
	for share, want := range map[int]int{64 << 10: 128 << 10, 8 << 20: 4 << 20} {
		if writes, bytes := (smallCommits{large{}, share}).MaxBatch(); writes != 4096 || bytes != want {
			t.Errorf("with a share of %d a batch has %d writes of %d bytes, want 4096 of %d", share, writes, bytes, want)
		}
	}
}

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
