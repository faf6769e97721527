package engine

import (
	"carillon/internal/job"
)

// A Deliverer carries triggers to applications. It is safe for concurrent use.
type Deliverer interface {
	// Deliver offers t to a receiver without blocking, and reports whether one has taken it.
	//
	// If so, done is called exactly once, from another goroutine, when the attempt has ended. If
	// not, resume is called at most once, from another goroutine, when receivers may take triggers
	// again, with about how many, at least one. A later refusal of the same target and partition
	// replaces resume, and Withdraw cancels it. Neither function blocks.
	Deliver(t job.Trigger, done func(job.Outcome), resume func(n int)) (taken bool)
	// Withdraw cancels the resume function of a target and a partition: it is no longer called,
	// unless the call has begun. It does not block.
	Withdraw(target job.Target, partition int)
}
