package engine

import (
	"context"

	"carillon/internal/job"
)

// A pendingCommit is a commit in progress. Readers of the store may see what it writes before that
// would survive a power cut.
type pendingCommit struct {
	keys  map[job.Key]struct{} // of the jobs that it may write
	ended chan struct{}        // closed when it has ended and callers have their replies
	err   error                // the result
}

// failed reports whether c has ended with an error.
func (c *pendingCommit) failed() bool {
	select {
	case <-c.ended:
		return c.err != nil
	default:
		return false
	}
}

// waitDurable waits until what was read from the store about k would survive a power cut; nil means
// any job. It returns false if the commit failed, and the caller must read again. A nil c is no
// commit.
func (c *pendingCommit) waitDurable(ctx context.Context, k *job.Key) (bool, error) {
	if c == nil {
		return true, nil
	}
	if k != nil {
		if _, ok := c.keys[*k]; !ok {
			return true, nil
		}
	}
	select {
	case <-c.ended:
		return c.err == nil, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
