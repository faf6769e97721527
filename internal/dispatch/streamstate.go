package dispatch

import (
	"time"

	"github.com/gammazero/deque"

	"carillon/internal/job"
)

// A streamState is what is in flight on one stream. The mutex guards all but its fixed fields.
type streamState struct {
	start    time.Time                // when the stream connected; fixed
	wake     chan struct{}            // has an element if the queue may; fixed
	budget   triggerBudget            // of the attempts
	attempts map[uint64]attempt       // accepted and not ended, sent or not, by number
	queue    deque.Deque[job.Trigger] // accepted and not yet sent; their numbers follow sent
	sending  job.Trigger              // what Next returned last, until it is called again
	sent     uint64                   // the number that Next returned last
	accepted uint64                   // the number of the trigger that was accepted last
	closed   bool
}

// An attempt is a trigger that is in flight on a stream.
type attempt struct {
	done       func(job.Outcome)
	bytes      int
	acceptedAt time.Duration // from the start of the stream
	kind       job.Kind      // of its target
	sem        *semaphore    // whose slots it holds; nil if there is none
}

// accept enqueues t, and acquires the slots of sem, if that is not nil.
func (s *streamState) accept(t job.Trigger, bytes int, done func(job.Outcome), sem *semaphore) {
	if sem != nil {
		sem.acquire()
	}
	s.accepted++
	s.attempts[s.accepted] = attempt{
		done: done, bytes: bytes, acceptedAt: time.Since(s.start), kind: t.Key.Target.Kind, sem: sem,
	}
	s.budget.acquire(bytes)
	s.queue.PushBack(t)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// end removes the attempt of this number, and releases its slots; ok is false if it was not sent,
// or has ended.
func (s *streamState) end(id uint64) (a attempt, ok bool) {
	a, ok = s.attempts[id]
	if !ok || id > s.sent {
		return attempt{}, false
	}
	delete(s.attempts, id)
	s.budget.release(a.bytes)
	if a.sem != nil {
		a.sem.release()
	}
	return a, true
}
