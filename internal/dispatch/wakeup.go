package dispatch

import (
	"slices"
	"time"
)

// wakeDelay is how long waiters wait at most for more capacity, so that they are woken together.
const wakeDelay = 5 * time.Millisecond

// A waiter is woken when there may be capacity for the triggers of one partition.
type waiter struct {
	partition int
	wake      func(n int)
}

// A wakeUp is a call of a waiter's wake. It is made after d.mu is unlocked.
type wakeUp struct {
	wake  func(n int)
	share int
}

func wakeAll(calls []wakeUp) {
	for _, c := range calls {
		c.wake(c.share)
	}
}

// wait registers wake for the triggers of the partition, in place of an earlier one.
func (r *targetState) wait(partition int, wake func(n int)) {
	r.withdraw(partition)
	r.waiters = append(r.waiters, waiter{partition, wake})
	r.d.waiting++
}

// withdraw removes the partition's waiter, if it has one.
func (r *targetState) withdraw(partition int) {
	i := slices.IndexFunc(r.waiters, func(w waiter) bool { return w.partition == partition })
	if i >= 0 {
		r.waiters = slices.Delete(r.waiters, i, i+1)
		r.d.waiting--
	}
}

// wakeIfCapacity appends the calls that wake r's waiters, if there is capacity for each of them.
// Otherwise it sets the timer that wakes them a little later.
func (r *targetState) wakeIfCapacity(calls []wakeUp) []wakeUp {
	if len(r.waiters) == 0 {
		return calls
	}
	if n := r.capacity(); n >= len(r.waiters) {
		return r.popWaiters(calls, n)
	}
	if r.timer == nil {
		r.timer = time.AfterFunc(wakeDelay, r.wakeDelayed)
	}
	return calls
}

// wakeDelayed is called by the timer.
func (r *targetState) wakeDelayed() {
	var calls []wakeUp
	r.d.mu.Lock()
	r.timer = nil
	if n := r.capacity(); n > 0 { // otherwise the next freed slot wakes them
		calls = r.popWaiters(calls, n)
	}
	r.d.mu.Unlock()
	wakeAll(calls)
}

// popWaiters removes all waiters, and appends the calls that wake them, each with its share of n.
func (r *targetState) popWaiters(calls []wakeUp, n int) []wakeUp {
	if len(r.waiters) == 0 {
		return calls
	}
	share := max(1, n/len(r.waiters))
	for _, w := range r.waiters {
		calls = append(calls, wakeUp{w.wake, share})
	}
	r.d.waiting -= len(r.waiters)
	r.waiters = nil
	if r.timer != nil {
		r.timer.Stop() // if it fires all the same, it wakes nothing, or later waiters a little early
		r.timer = nil
	}
	return calls
}
