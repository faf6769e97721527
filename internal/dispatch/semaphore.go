package dispatch

import (
	"github.com/gammazero/deque"

	"carillon/internal/job"
)

// A semaphore limits the triggers in flight of an actor type, or of one of its concurrency keys.
// Without a limit it only counts.
type semaphore struct {
	of       *actorLimits
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
	by  *Stream
	max int
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
	return !s.limited() || s.inFlight < s.of.share.of(s.limits[len(s.limits)-1].max)
}

// full returns the semaphore without a free slot that blocks a trigger of its queue; nil if none
// does.
func (s *semaphore) full() *semaphore {
	switch {
	case !s.of.whole.free():
		return &s.of.whole
	case !s.free():
		return s
	default:
		return nil
	}
}

// acquire takes the slots of a trigger that belongs in its queue.
func (s *semaphore) acquire() { s.add(1) }

// release frees all of them.
func (s *semaphore) release() { s.add(-1) }

func (s *semaphore) add(n int) {
	s.of.whole.inFlight += n
	s.of.whole.used = true
	if s != &s.of.whole {
		s.inFlight += n
		s.used = true
	}
}

// hold appends a trigger to its queue.
func (s *semaphore) hold(t job.Trigger, bytes int, done func(job.Outcome)) {
	s.of.last++
	s.used, s.of.whole.used = true, true
	s.push(heldTrigger{s.of.last, t, bytes, done})
}

func (s *semaphore) push(h heldTrigger) {
	s.queue.PushBack(h)
	s.of.held++
	s.of.bytes += h.bytes
}
