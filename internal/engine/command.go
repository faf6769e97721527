package engine

import (
	"context"
	"sync/atomic"

	"carillon/internal/engine/machine"
	"carillon/internal/job"
)

// writesPerJob is the most writes of one command or outcome.
const writesPerJob = 5

// A command is what a caller wants done to one job. The loop calls decide with what the store holds
// about the job, and replies once the effects are committed.
type command struct {
	key          job.Key
	partition    int // of key
	bytes        int // of the batch, approximately
	decide       func(m *machine.Machine, old machine.Stored) error
	addsData     bool            // writes more than deletions
	needsPayload bool            // decide needs the payload of old
	spec         *job.Spec       // that it stores; nil if it deletes or rewrites
	done         chan error      // receives the result; nil if the command is part of a group
	canceled     <-chan struct{} // closed when the caller waits no more; nil if that is not known
	group        *group          // nil for a single command
	index        int             // in group
	postedTurn   int             // how many turns the loop had had when the command could be taken first
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

// abandoned reports whether c's caller waits no more, so that c need not be carried out.
func (c *command) abandoned() bool {
	select {
	case <-c.canceled:
		return true
	default:
		return false
	}
}

// A group is the commands that one caller waits for. The goroutine that carries out a command
// writes its result.
type group struct {
	errs    []error       // of each command that is finished
	pending atomic.Int64  // commands that are not finished
	done    chan struct{} // closed when none is pending
}

func newGroup(n int) *group {
	g := &group{errs: make([]error, n), done: make(chan struct{})}
	g.pending.Store(int64(n))
	if n == 0 {
		close(g.done)
	}
	return g
}

// finish sets the result of the command with that index. It is called once for each.
func (g *group) finish(index int, err error) {
	g.errs[index] = err
	if g.pending.Add(-1) == 0 {
		close(g.done)
	}
}

// wait returns the error of each command; if ctx ends first, that is the error of all.
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
