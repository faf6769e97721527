package app

import (
	"testing"

	"carillon/internal/store"
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
