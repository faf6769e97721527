package dispatch

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/gammazero/deque"

	"carillon/internal/job"
)

// ErrClosed is the error of [Stream.Next] after the stream was closed.
var ErrClosed = errors.New("stream closed")

// A Stream is one connected receiver. It is safe for concurrent use, but only one goroutine at a
// time may call Next.
type Stream struct {
	shared  *sharedState
	number  uint64         // in the order in which streams connected; fixed
	targets []*targetState // that it serves; fixed
	limited []*targetState // whose triggers it limits; fixed
	state   streamState
}

// Next blocks until a trigger is to be sent, and returns it with its number: 1, 2, 3, … on each
// stream. After Close it returns [ErrClosed]. A call says that the previous trigger has been sent.
func (s *Stream) Next(ctx context.Context) (id uint64, t job.Trigger, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, job.Trigger{}, err
		}
		s.shared.mu.Lock()
		s.releaseSent()
		ok := s.state.queue.Len() > 0
		if ok {
			t = s.state.queue.PopFront()
			s.state.sent++
			s.state.sending = t
		}
		id, closed := s.state.sent, s.state.closed
		s.shared.mu.Unlock()
		switch {
		case closed:
			return 0, job.Trigger{}, ErrClosed
		case ok:
			return id, t, nil
		}
		select {
		case <-s.state.wake:
		case <-ctx.Done():
			return 0, job.Trigger{}, ctx.Err()
		}
	}
}

// releaseSent releases the bytes of what Next returned last. The caller holds the mutex.
func (s *Stream) releaseSent() {
	if s.state.sending.Key != (job.Key{}) {
		s.shared.payload.release(s.state.sending.Key.Target, size(s.state.sending))
		s.state.sending = job.Trigger{}
	}
}

// Settle ends the attempt that Next returned with this number. It ignores and counts a result that
// is late, repeated or unknown, and returns false.
func (s *Stream) Settle(id uint64, o job.Outcome) bool {
	s.shared.mu.Lock()
	a, ok := s.state.end(id)
	if !ok {
		s.shared.counts.Ignored++
		s.shared.mu.Unlock()
		return false
	}
	s.shared.counts.InFlight--
	s.shared.tallies[a.kind].ended(o, time.Since(s.state.start)-a.acceptedAt)
	calls := s.admit(nil)
	s.shared.mu.Unlock()
	a.done(o)
	wakeAll(calls)
	return true
}

// Close removes s from the rotation, and its limits. It ends everything in flight on s as lost, the
// oldest first, and then the held triggers of targets that no stream serves any more. Further calls
// do nothing.
func (s *Stream) Close() {
	s.shared.mu.Lock()
	if s.state.closed {
		s.shared.mu.Unlock()
		return
	}
	s.state.closed = true
	s.releaseSent()
	for t := range s.state.queue.Iter() {
		s.shared.payload.release(t.Key.Target, size(t))
	}
	lost := s.state.attempts
	s.state.attempts, s.state.queue = nil, deque.Deque[job.Trigger]{}
	for _, a := range lost {
		s.shared.tallies[a.kind].undelivered++
		if a.sem != nil {
			a.sem.release()
		}
	}
	s.shared.counts.Streams--
	s.shared.counts.InFlight -= len(lost)
	held, calls := s.leave()
	close(s.state.wake) // s has left the rotation, so nothing sends on it any more
	s.shared.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(lost)) {
		lost[id].done(job.Lost)
	}
	for _, h := range held {
		h.done(job.Lost)
	}
	wakeAll(calls)
}

// leave removes s and its limits from its targets. It returns the held triggers of targets that
// have no other stream, and sends those of the others that may go now.
func (s *Stream) leave() (lost []heldTrigger, calls []wakeUp) {
	for _, t := range s.limited {
		t.limits.removeLimits(s.number)
		t.limits.requeue()
	}
	for _, t := range s.targets {
		t.remove(&s.state)
	}
	for _, t := range slices.Concat(s.limited, s.targets) {
		switch {
		case t.limits == nil:
		case len(t.streams) == 0:
			lost = append(lost, t.abandon()...)
		default:
			calls = t.admit(calls)
		}
		t.cleanUp()
	}
	return lost, calls
}

// admit admits held and waiting triggers of all targets that s serves.
func (s *Stream) admit(calls []wakeUp) []wakeUp {
	for _, t := range s.targets {
		calls = t.admit(calls)
	}
	return calls
}
