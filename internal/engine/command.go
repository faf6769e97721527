package engine

import (
	"context"
	"sync/atomic"

	"carillon/internal/engine/machine"
	"carillon/internal/job"
)

// writesPerJob is the most writes of one command or outcome.
const writesPerJob = 5

// A command is a change of one job that a caller asks for. The loop calls decide with what the store
// holds about the job, commits the writes, and replies.
type command struct {
	key          job.Key
	partition    int // of key
	bytes        int // of the batch, approximately
	decide       func(m *machine.Machine, old machine.Stored) error
	addsData     bool            // writes more than deletions
	needsPayload bool            // of old, for decide
	spec         *job.Spec       // that it stores; nil if it deletes or rewrites
	done         chan error      // receives the result; nil if the command is part of a group
	canceled     <-chan struct{} // closed when the caller no longer waits; nil if that is unknown
	group        *group          // nil for a single command
	index        int             // in group
	postedTurn   int             // turns of the loop before the command could be taken
}

// wait returns the result of a command that was posted.
func (c *command) wait(ctx context.Context) error {
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// abandoned reports whether c's caller no longer waits, so that c need not be carried out.
func (c *command) abandoned() bool {
	select {
	case <-c.canceled:
		return true
	default:
		return false
	}
}

// A group is the commands that one caller waits for together.
type group struct {
	errs    []error       // of each command that is finished
	pending atomic.Int64  // commands that are not finished
	done    chan struct{} // closed when none is pending
}

// newGroup returns a group of n commands.
func newGroup(n int) *group {
	g := &group{errs: make([]error, n), done: make(chan struct{})}
	g.pending.Store(int64(n))
	if n == 0 {
		close(g.done)
	}
	return g
}

// finish sets the result of the command with that index. It is called once for each command, by any
// goroutine.
func (g *group) finish(index int, err error) {
	g.errs[index] = err
	if g.pending.Add(-1) == 0 {
		close(g.done)
	}
}

// wait returns the error of each command. If ctx ends first, it returns the error of ctx for all.
func (g *group) wait(ctx context.Context) []error {
	select {
	case <-g.done:
		return g.errs
	case <-ctx.Done():
		errs := make([]error, len(g.errs))
		for i := range errs {
			errs[i] = ctx.Err()
		}
		return errs
	}
}
