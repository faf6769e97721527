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
	d       *Dispatcher
	targets []*targetState // that it serves; fixed
	limited []*targetState // whose triggers it limits; fixed
	wake    chan struct{}

	// Guarded by d.mu.
	queue    deque.Deque[job.Trigger] // accepted and not yet sent; their numbers follow sent
	inFlight map[uint64]attempt       // accepted and not ended, sent or not, by number
	bytes    int                      // the sizes of inFlight together
	sending  job.Trigger              // what Next returned last, until it is called again
	sent     uint64                   // the number that Next returned last
	accepted uint64                   // the number of the trigger that was accepted last
	closed   bool
}

// An attempt is a trigger that is in flight on a stream.
type attempt struct {
	done  func(job.Outcome)
	bytes int
	since time.Duration // when it was accepted, from the start of the dispatcher
	kind  job.Kind      // of its target
	sem   *semaphore    // whose slots it holds; nil if there is none
}

// fits reports whether s has capacity for a trigger of this size.
func (s *Stream) fits(bytes int) bool {
	return len(s.inFlight) == 0 || len(s.inFlight) < s.d.cfg.MaxInFlight && s.bytes+bytes <= s.d.cfg.MaxBytes
}

// capacity returns about how many more triggers s can take, if they are as large as those in
// flight. It is 0 only if s can take none.
func (s *Stream) capacity() int {
	return remaining(len(s.inFlight), s.d.cfg.MaxInFlight, s.bytes, s.d.cfg.MaxBytes)
}

// remaining returns about how many more triggers fit, where n of maxN are there and have that many
// of maxBytes. It is 0 only if none fits.
func remaining(n, maxN, bytes, maxBytes int) int {
	switch {
	case n == 0:
		return maxN
	case n >= maxN || bytes >= maxBytes:
		return 0
	case bytes == 0:
		return maxN - n
	default:
		return max(1, min(maxN-n, (maxBytes-bytes)/(1+bytes/n)))
	}
}

// accept enqueues t on s, and acquires the slots of sem, if that is not nil.
func (s *Stream) accept(t job.Trigger, bytes int, done func(job.Outcome), sem *semaphore) {
	if sem != nil {
		sem.acquire()
	}
	s.accepted++
	s.inFlight[s.accepted] = attempt{
		done: done, bytes: bytes, since: time.Since(s.d.began), kind: t.Key.Target.Kind, sem: sem,
	}
	s.bytes += bytes
	s.queue.PushBack(t)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Next blocks until a trigger is to be sent, and returns it with its number: 1, 2, 3, … on each
// stream. After Close it returns [ErrClosed]. A call says that the previous trigger has been sent.
func (s *Stream) Next(ctx context.Context) (id uint64, t job.Trigger, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, job.Trigger{}, err
		}
		s.d.mu.Lock()
		s.releaseSent()
		ok := s.queue.Len() > 0
		if ok {
			t = s.queue.PopFront()
			s.sent++
			s.sending = t
		}
		id, closed := s.sent, s.closed
		s.d.mu.Unlock()
		switch {
		case closed:
			return 0, job.Trigger{}, ErrClosed
		case ok:
			return id, t, nil
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return 0, job.Trigger{}, ctx.Err()
		}
	}
}

// releaseSent releases the bytes of what Next returned last. d.mu is held.
func (s *Stream) releaseSent() {
	if s.sending.Key != (job.Key{}) {
		s.d.release(s.sending.Key.Target, size(s.sending))
		s.sending = job.Trigger{}
	}
}

// Settle ends the attempt that Next returned with this number. It ignores and counts a result that
// is late, repeated or unknown, and returns false.
func (s *Stream) Settle(id uint64, o job.Outcome) bool {
	s.d.mu.Lock()
	a, ok := s.inFlight[id]
	if !ok || id > s.sent {
		s.d.ignored++
		s.d.mu.Unlock()
		return false
	}
	delete(s.inFlight, id)
	s.bytes -= a.bytes
	s.d.inFlight--
	s.d.tallies[a.kind].ended(o, time.Since(s.d.began)-a.since)
	if a.sem != nil {
		a.sem.release()
	}
	calls := s.admit(nil)
	s.d.mu.Unlock()
	a.done(o)
	wakeAll(calls)
	return true
}

// Close removes s from the rotation, and its limits. It ends everything in flight on s as lost, the
// oldest first, and then the held triggers of targets that no stream serves any more. Further calls
// do nothing.
func (s *Stream) Close() {
	s.d.mu.Lock()
	if s.closed {
		s.d.mu.Unlock()
		return
	}
	s.closed = true
	inFlight := s.inFlight
	s.releaseSent()
	for t := range s.queue.Iter() {
		s.d.release(t.Key.Target, size(t))
	}
	s.inFlight, s.queue, s.bytes = nil, deque.Deque[job.Trigger]{}, 0
	for _, a := range inFlight {
		s.d.tallies[a.kind].undelivered++
		if a.sem != nil {
			a.sem.release()
		}
	}
	s.d.streams--
	s.d.inFlight -= len(inFlight)
	lost, calls := s.leave()
	close(s.wake) // only streams in the rotation accept triggers, so nothing sends on it any more
	s.d.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(inFlight)) {
		inFlight[id].done(job.Lost)
	}
	for _, h := range lost {
		h.done(job.Lost)
	}
	wakeAll(calls)
}

// leave removes s and its limits from its targets. It returns the held triggers of targets that
// have no other stream, and sends those of the others that may go now.
func (s *Stream) leave() (lost []heldTrigger, calls []wakeUp) {
	for _, r := range s.limited {
		r.limits.removeLimits(s)
		r.limits.requeue()
	}
	for _, r := range s.targets {
		r.remove(s)
	}
	for _, r := range slices.Concat(s.limited, s.targets) {
		switch {
		case r.limits == nil:
		case len(r.streams) == 0:
			lost = append(lost, r.abandon()...)
		default:
			calls = r.admit(calls)
		}
		r.cleanUp()
	}
	return lost, calls
}

// admit admits held and waiting triggers of all targets that s serves.
func (s *Stream) admit(calls []wakeUp) []wakeUp {
	for _, r := range s.targets {
		calls = r.admit(calls)
	}
	return calls
}
