package scheduler

import (
	"context"
	"time"

	"carillon/internal/limits"
)

// listWait is how long a list waits at most for other lists to end.
const listWait = 10 * time.Second

// listShare is how many bytes a list acquires first, at most, for what it reads at a time and for
// its first pieces. It acquires more in steps of a quarter of that.
const listShare = 8 << 20

// A listBudget limits the memory of lists, from when they begin until they are sent. Only one list
// at a time may grow beyond its share. Another one that has outgrown its share gives it back before
// it waits for its turn, so that no two lists wait for one another. Shares are half of the budget at
// most. A growing list may have the other half, or all but one share while it is alone.
type listBudget struct {
	budget *limits.Budget
	shares *limits.Budget // the half of budget for shares
	grow   chan struct{}  // a semaphore: holds a token while a list grows
	share  int64          // of each list
	step   int64
}

func newListBudget(bytes int64) *listBudget {
	bytes = max(bytes, minListBytes)
	share := min(listShare, bytes/4)
	return &listBudget{
		budget: limits.NewBudget(bytes), shares: limits.NewBudget(bytes / 2), grow: make(chan struct{}, 1), share: share, step: share / 4,
	}
}

// minListBytes is the smallest budget of lists.
const minListBytes = 16 << 20

// acquireToken puts a token into the semaphore c, and returns false if ctx ends first.
func acquireToken(ctx context.Context, c chan<- struct{}) bool {
	select {
	case c <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// A releasingPool releases the bytes of a piece when gRPC has sent it.
type releasingPool struct{ budget *limits.Budget }

// Get implements [mem.BufferPool].
func (releasingPool) Get(length int) *[]byte { return new(make([]byte, length)) }

// Put implements [mem.BufferPool].
func (s releasingPool) Put(piece *[]byte) { s.budget.Release(int64(cap(*piece))) }
