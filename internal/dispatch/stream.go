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

// ErrClosed says that a stream was closed.
var ErrClosed = errors.New("stream closed")

// A Stream is one connected receiver. Its methods may be called at any time from any goroutine, but for Next, which
// one goroutine at a time calls.
type Stream struct {
	d       *Dispatcher
	routes  []*route // that it serves; fixed
	limited []*route // whose triggers it limits; fixed
	wake    chan struct{}

	// Guarded by d.mu.
	queue  deque.Deque[job.Trigger] // taken and not yet sent; their numbers follow sent
	out    map[uint64]attempt       // taken and not ended, sent or not, by number
	bytes  int                      // the sizes of out together
	sends  job.Trigger              // what Next returned last, until it is called again: it is being sent
	sent   uint64                   // the number that Next returned last
	taken  uint64                   // the number that Deliver gave last
	closed bool
}

// An attempt is a trigger that is out with a stream.
type attempt struct {
	done  func(job.Outcome)
	bytes int
	since time.Duration // the dispatcher began
	kind  job.Kind      // of its target
	gate  *gate         // at which it has its slots; nil if there is none
}

// fits reports whether s has room for a trigger of that size.
func (s *Stream) fits(bytes int) bool {
	return len(s.out) == 0 || len(s.out) < s.d.cfg.MaxOut && s.bytes+bytes <= s.d.cfg.MaxBytes
}

// free returns about how many triggers s has room for, taking those that are out as typical; 0 only if it has no room
// for any.
func (s *Stream) free() int {
	return left(len(s.out), s.d.cfg.MaxOut, s.bytes, s.d.cfg.MaxBytes)
}

// left returns about how many more triggers fit where there are n of at most most, which have that many bytes of at
// most mostBytes; 0 only if none does.
func left(n, most, bytes, mostBytes int) int {
	switch {
	case n == 0:
		return most
	case n >= most || bytes >= mostBytes:
		return 0
	case bytes == 0:
		return most - n
	default:
		return max(1, min(most-n, (mostBytes-bytes)/(1+bytes/n)))
	}
}

// take puts t out with s, with slots at that gate, if there is one.
func (s *Stream) take(t job.Trigger, bytes int, done func(job.Outcome), at *gate) {
	if at != nil {
		at.enter()
	}
	s.taken++
	s.out[s.taken] = attempt{
		done: done, bytes: bytes, since: time.Since(s.d.began), kind: t.Key.Target.Kind, gate: at,
	}
	s.bytes += bytes
	s.queue.PushBack(t)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Next blocks until a trigger is to be sent, and returns it with its number: 1, 2, 3, … on each stream. After Close it
// returns [ErrClosed]. Being called again it knows that the one before has been sent.
func (s *Stream) Next(ctx context.Context) (id uint64, t job.Trigger, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, job.Trigger{}, err
		}
		s.d.mu.Lock()
		s.hasSent()
		ok := s.queue.Len() > 0
		if ok {
			t = s.queue.PopFront()
			s.sent++
			s.sends = t
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

// hasSent gives back the bytes of what Next returned last. d.mu is held.
func (s *Stream) hasSent() {
	if s.sends.Key != (job.Key{}) {
		s.d.sent(s.sends.Key.Target, size(s.sends))
		s.sends = job.Trigger{}
	}
}

// Settle ends the attempt that Next returned with that number. A result that is late, repeated or unknown is ignored and
// counted; it returns false.
func (s *Stream) Settle(id uint64, o job.Outcome) bool {
	s.d.mu.Lock()
	a, ok := s.out[id]
	if !ok || id > s.sent {
		s.d.ignored++
		s.d.mu.Unlock()
		return false
	}
	delete(s.out, id)
	s.bytes -= a.bytes
	s.d.out--
	s.d.tallies[a.kind].ended(o, time.Since(s.d.began)-a.since)
	if a.gate != nil {
		a.gate.leave()
	}
	calls := s.wakeWaiters(nil)
	s.d.mu.Unlock()
	a.done(o)
	call(calls)
	return true
}

// Close takes s out of the rotation, with its limits, and ends everything out with it as lost, oldest first; and then,
// as lost too, what is held of a target that nobody serves any more. Closing again does nothing.
func (s *Stream) Close() {
	s.d.mu.Lock()
	if s.closed {
		s.d.mu.Unlock()
		return
	}
	s.closed = true
	out := s.out
	s.hasSent()
	for t := range s.queue.Iter() {
		s.d.sent(t.Key.Target, size(t))
	}
	s.out, s.queue, s.bytes = nil, deque.Deque[job.Trigger]{}, 0
	for _, a := range out {
		s.d.tallies[a.kind].undelivered++
		if a.gate != nil {
			a.gate.leave()
		}
	}
	s.d.streams--
	s.d.out -= len(out)
	lost, calls := s.leave()
	close(s.wake) // nobody sends any more: only a stream in the rotation takes triggers
	s.d.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(out)) {
		out[id].done(job.Lost)
	}
	for _, h := range lost {
		h.done(job.Lost)
	}
	call(calls)
}

// leave takes s out of its routes. What waited for it alone is lost; what waited for others is put out.
func (s *Stream) leave() (lost []held, calls []wakeUp) {
	for _, r := range s.limited {
		r.gates.disclaim(s)
		r.gates.sort()
	}
	for _, r := range s.routes {
		r.leave(s)
	}
	for _, r := range slices.Concat(s.limited, s.routes) {
		switch {
		case r.gates == nil:
		case len(r.streams) == 0:
			lost = append(lost, r.abandon()...)
		default:
			calls = r.admit(calls)
		}
		r.tidy()
	}
	return lost, calls
}

// wakeWaiters appends the calls that wake who waits for room that s may have.
func (s *Stream) wakeWaiters(calls []wakeUp) []wakeUp {
	for _, r := range s.routes {
		calls = r.admit(calls)
	}
	return calls
}
