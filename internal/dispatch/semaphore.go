package dispatch

import (
	"github.com/gammazero/deque"

	"carillon/internal/job"
)

// A semaphore limits the triggers in flight of an actor type, or of one of its concurrency keys.
// Without a limit it only counts. A trigger that needs the semaphore of its key needs a slot of
// that of its type, too.
type semaphore struct {
	whole    *semaphore    // that of the type; nil if s is that
	share    *Share        // of its limits
	label    string        // in metrics
	limits   []streamLimit // in the order in which their streams connected; the last one applies
	inFlight int           // slots in use
	used     bool          // a trigger has needed it

	// queue holds the triggers that need this semaphore in addition to that of the type; in the
	// semaphore of the type, the others.
	queue deque.Deque[heldTrigger]
}

// A streamLimit is the limit that a stream states for a semaphore.
type streamLimit struct {
	stream uint64 // its number
	max    int
}

// A heldTrigger waits for slots.
type heldTrigger struct {
	number uint64 // grows with time
	t      job.Trigger
	bytes  int
	done   func(job.Outcome)
}

func (s *semaphore) limited() bool { return len(s.limits) > 0 }

// free reports whether s has a free slot.
func (s *semaphore) free() bool {
	return !s.limited() || s.inFlight < s.share.of(s.limits[len(s.limits)-1].max)
}

// full returns the semaphore without a free slot that blocks a trigger of the queue; nil if none
// does.
func (s *semaphore) full() *semaphore {
	switch {
	case s.whole != nil && !s.whole.free():
		return s.whole
	case !s.free():
		return s
	default:
		return nil
	}
}

// acquire takes the slots that a trigger of the queue needs.
func (s *semaphore) acquire() { s.add(1) }

// release frees the slots of such a trigger.
func (s *semaphore) release() { s.add(-1) }

func (s *semaphore) add(n int) {
	s.inFlight += n
	s.used = true
	if s.whole != nil {
		s.whole.add(n)
	}
}
