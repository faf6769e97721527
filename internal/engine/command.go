package engine

import (
	"context"

	"carillon/internal/engine/machine"
	"carillon/internal/job"
)

// A command is what a caller wants done to one job. The loop calls decide with what the store holds about
// the job, and replies once the effects are committed.
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
