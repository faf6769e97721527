package dispatch

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"carillon/internal/job"
)

// ErrClosed says that a stream was closed.
var ErrClosed = errors.New("stream closed")

// A Stream is one connected receiver. Its methods may be called at any time from any goroutine, but for Next, which
// one goroutine at a time calls.
type Stream struct {
	d      *Dispatcher
	routes []*route // that it serves; fixed
	wake   chan struct{}

	// Guarded by d.mu.
	queue  queue              // taken and not yet sent; their numbers follow sent
	out    map[uint64]attempt // taken and not ended, sent or not, by number
	bytes  int                // the sizes of out together
	sent   uint64             // the number that Next returned last
	taken  uint64             // the number that Deliver gave last
	closed bool
}

// An attempt is a trigger that is out with a stream.
type attempt struct {
	done  func(job.Outcome)
	bytes int
	since time.Duration // the dispatcher began
	kind  job.Kind      // of its target
}

// fits reports whether s has room for a trigger of that size.
func (s *Stream) fits(bytes int) bool {
	return len(s.out) == 0 || len(s.out) < s.d.cfg.MaxOut && s.bytes+bytes <= s.d.cfg.MaxBytes
}

// free returns about how many triggers s has room for, taking those that are out as typical; 0 only if it has no room
// for any.
func (s *Stream) free() int {
	n, left := s.d.cfg.MaxOut-len(s.out), s.d.cfg.MaxBytes-s.bytes
	switch {
	case len(s.out) == 0:
		return s.d.cfg.MaxOut
	case n <= 0 || left <= 0:
		return 0
	case s.bytes == 0:
		return n
	default:
		return max(1, min(n, left/(1+s.bytes/len(s.out))))
	}
}

// take puts t out with s.
func (s *Stream) take(t job.Trigger, bytes int, done func(job.Outcome)) {
	s.taken++
	s.out[s.taken] = attempt{done: done, bytes: bytes, since: time.Since(s.d.began), kind: t.Key.Target.Kind}
	s.bytes += bytes
	s.d.out++
	s.queue.push(t)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Next blocks until a trigger is to be sent, and returns it with its number: 1, 2, 3, … on each stream. After Close it
// returns [ErrClosed].
func (s *Stream) Next(ctx context.Context) (id uint64, t job.Trigger, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, job.Trigger{}, err
		}
		s.d.mu.Lock()
		t, ok := s.queue.pop()
		if ok {
			s.sent++
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
	calls := s.wakeWaiters(nil)
	s.d.mu.Unlock()
	a.done(o)
	call(calls)
	return true
}

// Close takes s out of the rotation and ends everything out with it as lost, oldest first. Closing again does nothing.
func (s *Stream) Close() {
	s.d.mu.Lock()
	if s.closed {
		s.d.mu.Unlock()
		return
	}
	s.closed = true
	for _, r := range s.routes {
		r.leave(s)
	}
	out := s.out
	s.out, s.queue, s.bytes = nil, queue{}, 0
	s.d.streams--
	s.d.out -= len(out)
	for _, a := range out {
		s.d.tallies[a.kind].undelivered++
	}
	close(s.wake) // nobody sends any more: only a stream in the rotation takes triggers
	s.d.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(out)) {
		out[id].done(job.Lost)
	}
}

// wakeWaiters appends the calls that wake who waits for room that s may have.
func (s *Stream) wakeWaiters(calls []wakeUp) []wakeUp {
	for _, r := range s.routes {
		calls = r.wakeSome(calls)
	}
	return calls
}

// A queue holds triggers, first in, first out. It forgets what has left.
type queue struct {
	items []job.Trigger // from head on
	head  int
}

// idle is how many places an empty queue may keep.
const idle = 64

func (q *queue) push(t job.Trigger) {
	if len(q.items) == cap(q.items) && q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, t)
}

func (q *queue) pop() (t job.Trigger, ok bool) {
	if q.head == len(q.items) {
		return job.Trigger{}, false
	}
	t, q.items[q.head] = q.items[q.head], job.Trigger{}
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
		if cap(q.items) > idle {
			q.items = nil
		}
	}
	return t, true
}
