package dispatch

import (
	"cmp"
	"slices"

	"carillon/internal/job"
)

// actorLimits enforce the concurrency limits of one actor type. A trigger needs a slot of the
// semaphore of its type and of that of its concurrency key, if they have limits. If either is
// full, the trigger is held in one queue until both have a free slot.
type actorLimits struct {
	actorType string
	labels    labels                // of the dispatcher
	whole     semaphore             // of all triggers of the type
	byKey     map[string]*semaphore // by concurrency key
	limits    int                   // of all semaphores together
	stale     bool                  // a semaphore got its first limit, or lost its last
	held      triggerBudget         // of the triggers in all queues
	last      uint64                // the number of the trigger that was held last
}

func newActorLimits(actorType string, held triggerBudget, share *Share, labels labels) *actorLimits {
	return &actorLimits{
		actorType: actorType, labels: labels, held: held,
		whole: semaphore{share: share, label: labels.of(actorType)}, byKey: make(map[string]*semaphore),
	}
}

// addLimit adds a limit that a stream states. The caller calls requeue afterwards.
func (a *actorLimits) addLimit(stream uint64, l ConcurrencyLimit) {
	sem := &a.whole
	if l.Key != nil {
		if sem = a.byKey[*l.Key]; sem == nil {
			label := a.labels.of(a.actorType + ":" + *l.Key)
			sem = &semaphore{whole: &a.whole, share: a.whole.share, label: label}
			a.byKey[*l.Key] = sem
		}
	}
	a.stale = a.stale || !sem.limited()
	sem.limits = append(sem.limits, streamLimit{stream, l.Max})
	a.limits++
}

// removeLimits removes all limits that a stream states. The caller calls requeue afterwards.
func (a *actorLimits) removeLimits(stream uint64) {
	for sem := range a.all {
		n := len(sem.limits)
		sem.limits = slices.DeleteFunc(sem.limits, func(l streamLimit) bool { return l.stream == stream })
		a.limits -= n - len(sem.limits)
		a.stale = a.stale || n > 0 && !sem.limited()
	}
}

// requeue moves each held trigger to the queue that is right for the current limits, and deletes
// semaphores that are no longer needed.
func (a *actorLimits) requeue() {
	if !a.stale {
		return
	}
	a.stale = false
	for _, h := range a.popAll() {
		a.push(a.of(h.t), h)
	}
	for key, n := range a.byKey {
		if !n.limited() && n.inFlight == 0 {
			delete(a.byKey, key)
		}
	}
}

// all yields every semaphore of a, that of the type first.
func (a *actorLimits) all(yield func(*semaphore) bool) {
	if !yield(&a.whole) {
		return
	}
	for _, n := range a.byKey {
		if !yield(n) {
			return
		}
	}
}

// of returns the semaphore in whose queue t belongs when it is held.
func (a *actorLimits) of(t job.Trigger) *semaphore {
	if t.ConcurrencyKey != nil {
		if n := a.byKey[*t.ConcurrencyKey]; n != nil && n.limited() {
			return n
		}
	}
	return &a.whole
}

// limited reports whether any stream limits the type or a key of it.
func (a *actorLimits) limited() bool { return a.limits > 0 }

// idle reports whether a can be deleted.
func (a *actorLimits) idle() bool { return a.held.count == 0 && a.whole.inFlight == 0 && !a.limited() }

// oldest returns the semaphore whose queue begins with the oldest held trigger whose slots are
// free; nil if there is none.
func (a *actorLimits) oldest() *semaphore {
	if !a.whole.free() {
		return nil
	}
	var first *semaphore
	for sem := range a.all {
		if sem.queue.Len() == 0 || !sem.free() {
			continue
		}
		if first == nil || sem.queue.Front().number < first.queue.Front().number {
			first = sem
		}
	}
	return first
}

// hold appends a trigger to the queue of sem.
func (a *actorLimits) hold(sem *semaphore, t job.Trigger, bytes int, done func(job.Outcome)) {
	a.last++
	sem.used, a.whole.used = true, true
	a.push(sem, heldTrigger{a.last, t, bytes, done})
}

func (a *actorLimits) push(sem *semaphore, h heldTrigger) {
	sem.queue.PushBack(h)
	a.held.acquire(h.bytes)
}

// pop removes the first trigger of the queue of sem.
func (a *actorLimits) pop(sem *semaphore) heldTrigger {
	h := sem.queue.PopFront()
	a.held.release(h.bytes)
	return h
}

// popAll empties every queue, and returns the held triggers, the oldest first.
func (a *actorLimits) popAll() []heldTrigger {
	var all []heldTrigger
	for sem := range a.all {
		for sem.queue.Len() > 0 {
			all = append(all, a.pop(sem))
		}
	}
	slices.SortFunc(all, func(x, y heldTrigger) int { return cmp.Compare(x.number, y.number) })
	return all
}

// A slotCount is what the metrics say of one label.
type slotCount struct{ inFlight, held int }

// addCounts adds the counts of a's semaphores, by label. A held trigger counts at the first
// semaphore that it needs.
func (a *actorLimits) addCounts(counts map[string]slotCount) {
	for sem := range a.all {
		if !sem.used || !sem.limited() {
			continue
		}
		c := counts[sem.label]
		c.inFlight += sem.inFlight
		switch {
		case sem == &a.whole:
			c.held += a.held.count
		case !a.whole.limited():
			c.held += sem.queue.Len()
		}
		counts[sem.label] = c
	}
}
