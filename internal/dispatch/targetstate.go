package dispatch

import (
	"slices"
	"time"

	"carillon/internal/job"
)

// A targetState is what the dispatcher knows of one target.
type targetState struct {
	shared *sharedState
	all    map[job.Target]*targetState // of the dispatcher
	target job.Target

	streams []*streamState // that serve the target, in the order in which they connected
	next    int            // index of the next stream in the rotation; may be len(streams)
	limits  *actorLimits   // nil if no stream limits the target
	refusal payloadRefusal

	waiters waiters
	timer   *time.Timer // wakes the waiters; nil when it is not set
}

// accept sends trig to a stream with capacity, or holds it if its concurrency limits are used up.
// It reports whether it did either.
func (t *targetState) accept(trig job.Trigger, bytes int, done func(job.Outcome)) bool {
	if len(t.streams) == 0 {
		return false
	}
	if !t.shared.payload.fits(t.target, bytes) {
		t.shared.payload.refuse(&t.refusal, bytes)
		return false
	}
	var sem *semaphore
	if t.limits != nil && t.limits.limited() {
		sem = t.limits.of(trig)
		if full := sem.full(); full != nil {
			return t.hold(sem, full, trig, bytes, done)
		}
	}
	s := t.pick(bytes)
	if s == nil {
		return false
	}
	t.shared.payload.acquire(t.target, bytes)
	s.accept(trig, bytes, done, sem)
	return true
}

// hold appends trig to the queue of sem, because full has no slot. It reports whether the limits of
// held triggers admit it.
func (t *targetState) hold(sem, full *semaphore, trig job.Trigger, bytes int, done func(job.Outcome)) bool {
	if !t.limits.held.fits(bytes) {
		return false
	}
	t.limits.hold(sem, trig, bytes, done)
	t.shared.payload.acquire(t.target, bytes)
	t.shared.counts.Held++
	t.shared.throttled[full.label]++
	return true
}

// pick returns the next stream of the rotation with capacity for a trigger of this size, and
// advances the rotation. It returns nil if no stream has capacity.
func (t *targetState) pick(bytes int) *streamState {
	for i := range t.streams {
		at := (t.next + i) % len(t.streams)
		if s := t.streams[at]; s.budget.fits(bytes) {
			t.next = at + 1
			return s
		}
	}
	return nil
}

// remove removes s from the rotation.
func (t *targetState) remove(s *streamState) {
	i := slices.Index(t.streams, s)
	t.streams = slices.Delete(t.streams, i, i+1)
	if i < t.next {
		t.next--
	}
}

// cleanUp drops what is no longer in use, the target itself included.
func (t *targetState) cleanUp() {
	if t.limits != nil && t.limits.idle() {
		t.limits = nil
	}
	if len(t.streams) == 0 && len(t.waiters.list) == 0 && t.limits == nil {
		t.shared.payload.forget(&t.refusal)
		delete(t.all, t.target)
	}
}

// abandon removes all held triggers and returns them, the oldest first. It is called when no stream
// serves the target any more.
func (t *targetState) abandon() []heldTrigger {
	all := t.limits.popAll()
	for _, h := range all {
		t.shared.payload.release(t.target, h.bytes)
	}
	t.shared.counts.Held -= len(all)
	t.shared.counts.InFlight -= len(all)
	t.shared.tallies[t.target.Kind].undelivered += uint64(len(all))
	return all
}

// admit sends the held triggers whose slots are free, the oldest first. Then it appends the calls
// that wake waiters, if there is capacity for them.
func (t *targetState) admit(calls []wakeUp) []wakeUp {
	if t.limits != nil {
		t.admitHeld()
	}
	return t.wakeIfCapacity(calls)
}

func (t *targetState) admitHeld() {
	for t.limits.held.count > 0 {
		sem := t.limits.oldest()
		if sem == nil {
			return
		}
		s := t.pick(sem.queue.Front().bytes)
		if s == nil {
			return
		}
		h := t.limits.pop(sem)
		t.shared.counts.Held--
		s.accept(h.t, h.bytes, h.done, sem)
	}
}

// capacity returns about how many more triggers the target can take.
func (t *targetState) capacity() int {
	n := 0
	for _, s := range t.streams {
		n += s.budget.remaining()
	}
	if t.limits != nil {
		n = min(n, t.limits.held.remaining())
	}
	if t.refusal.bytes > 0 && !t.shared.payload.fits(t.target, t.refusal.bytes) {
		return 0
	}
	return n
}

// wakeIfCapacity appends the calls that wake the waiters, if there is capacity for each of them.
// Otherwise it sets the timer that wakes them a little later.
func (t *targetState) wakeIfCapacity(calls []wakeUp) []wakeUp {
	if len(t.waiters.list) == 0 {
		return calls
	}
	if n := t.capacity(); n >= len(t.waiters.list) {
		if t.timer != nil {
			t.timer.Stop() // if it fires all the same, it wakes nothing, or later waiters a little early
			t.timer = nil
		}
		return t.waiters.popAll(calls, n)
	}
	if t.timer == nil {
		t.timer = time.AfterFunc(wakeDelay, t.wakeDelayed)
	}
	return calls
}

// wakeDelayed is called by the timer.
func (t *targetState) wakeDelayed() {
	var calls []wakeUp
	t.shared.mu.Lock()
	t.timer = nil
	if n := t.capacity(); n > 0 { // otherwise the next freed slot wakes them
		calls = t.waiters.popAll(nil, n)
	}
	t.shared.mu.Unlock()
	wakeAll(calls)
}
