package dispatch

import (
	"slices"
	"time"

	"carillon/internal/job"
)

// A targetState is what the dispatcher knows of one target. The mutex of the dispatcher guards it.
type targetState struct {
	d      *Dispatcher
	target job.Target

	streams []*Stream    // that serve the target, in the order in which they connected
	next    int          // index of the next stream in the rotation; may be len(streams)
	limits  *actorLimits // nil if no stream limits the target
	needs   int          // bytes of a trigger that the payload budget refused; 0 if it refused none

	waiters []waiter    // at most one for each partition
	timer   *time.Timer // wakes the waiters; nil when it is not set
}

// accept sends t to a stream with capacity, or holds it if its concurrency limits are used up. It
// reports whether it did either.
func (r *targetState) accept(t job.Trigger, bytes int, done func(job.Outcome)) bool {
	if len(r.streams) > 0 && !r.d.payload.fits(r.target, bytes) {
		r.d.payload.refuse(r, bytes)
		return false
	}
	var sem *semaphore
	if r.limits != nil && len(r.streams) > 0 && r.limits.limited() {
		sem = r.limits.of(t)
		if full := sem.full(); full != nil {
			return r.hold(sem, full, t, bytes, done)
		}
	}
	s := r.pick(bytes)
	if s == nil {
		return false
	}
	r.d.payload.acquire(r.target, bytes)
	s.accept(t, bytes, done, sem)
	return true
}

// hold appends t to the queue of sem, because full has no slot. It reports whether the bounds of
// held triggers admit it.
func (r *targetState) hold(sem, full *semaphore, t job.Trigger, bytes int, done func(job.Outcome)) bool {
	l, cfg := r.limits, &r.d.cfg
	if l.held > 0 && (l.held >= cfg.MaxHeld || l.bytes+bytes > cfg.MaxHeldBytes) {
		return false
	}
	sem.hold(t, bytes, done)
	r.d.payload.acquire(r.target, bytes)
	r.d.held++
	r.d.throttled[full.label]++
	return true
}

// pick returns the next stream of the rotation with capacity for a trigger of this size, and
// advances the rotation. It returns nil if no stream has capacity.
func (r *targetState) pick(bytes int) *Stream {
	for i := range r.streams {
		at := (r.next + i) % len(r.streams)
		if s := r.streams[at]; s.fits(bytes) {
			r.next = at + 1
			return s
		}
	}
	return nil
}

// remove removes s from the rotation.
func (r *targetState) remove(s *Stream) {
	i := slices.Index(r.streams, s)
	r.streams = slices.Delete(r.streams, i, i+1)
	if i < r.next {
		r.next--
	}
}

// cleanUp drops what is no longer in use, the target itself included.
func (r *targetState) cleanUp() {
	if r.limits != nil && r.limits.idle() {
		r.limits = nil
	}
	if len(r.streams) == 0 && len(r.waiters) == 0 && r.limits == nil {
		r.d.payload.forget(r)
		delete(r.d.targets, r.target)
	}
}

// abandon removes all held triggers and returns them, the oldest first. It is called when no stream
// serves the target any more.
func (r *targetState) abandon() []heldTrigger {
	all := r.limits.popAll()
	for _, h := range all {
		r.d.release(r.target, h.bytes)
	}
	r.d.held -= len(all)
	r.d.inFlight -= len(all)
	r.d.tallies[r.target.Kind].undelivered += uint64(len(all))
	return all
}

// admit sends the held triggers whose slots are free, the oldest first. Then it appends the calls
// that wake waiters, if there is capacity for them.
func (r *targetState) admit(calls []wakeUp) []wakeUp {
	if r.limits != nil {
		r.admitHeld()
	}
	return r.wakeIfCapacity(calls)
}

func (r *targetState) admitHeld() {
	for r.limits.held > 0 {
		sem := r.limits.oldest()
		if sem == nil {
			return
		}
		s := r.pick(sem.queue.Front().bytes)
		if s == nil {
			return
		}
		h := r.limits.pop(sem)
		r.d.held--
		s.accept(h.t, h.bytes, h.done, sem)
	}
}

// capacity returns about how many more triggers the target can take.
func (r *targetState) capacity() int {
	n := 0
	for _, s := range r.streams {
		n += s.capacity()
	}
	if r.limits != nil {
		n = min(n, remaining(r.limits.held, r.d.cfg.MaxHeld, r.limits.bytes, r.d.cfg.MaxHeldBytes))
	}
	if r.needs > 0 && !r.d.payload.fits(r.target, r.needs) {
		return 0
	}
	return n
}
