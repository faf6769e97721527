package batchstream

import (
	"context"
	"sync"

	"google.golang.org/grpc/status"
)

// A Group is the calls of one caller, who waits for all of them.
type Group struct {
	errs []error
	left int           // calls without a result; belongs to the goroutine that sets results
	done chan struct{} // closed when left is 0

	mu       *sync.Mutex // of the client
	canceled bool        // the caller no longer waits; guarded by mu
}

// Wait returns the error of each call of the group. It is [ErrNotBegun] for calls that were not
// begun. If ctx ends first, all calls get its error as a status, and their outcome is unknown.
func (g *Group) Wait(ctx context.Context) []error {
	select {
	case <-g.done:
		return g.errs
	case <-ctx.Done():
	}
	g.mu.Lock()
	g.canceled = true
	g.mu.Unlock()
	errs := make([]error, len(g.errs))
	for i := range errs {
		errs[i] = status.FromContextError(ctx.Err()).Err()
	}
	return errs
}

// A queuedCall is one call of a group.
type queuedCall[C any] struct {
	group   *Group
	content C
	size    int // in bytes
	index   int // in group
}

// finish sets the result of c.
func (c queuedCall[C]) finish(err error) {
	c.group.errs[c.index] = err
	if c.group.left--; c.group.left == 0 {
		close(c.group.done)
	}
}
