package dispatch

import (
	"slices"
	"time"
)

// wakeDelay is how long waiters wait at most for more capacity, so that they are woken together.
const wakeDelay = 5 * time.Millisecond

// waiters are the refusals of one target that were not woken yet.
type waiters struct {
	list  []waiter // at most one for each partition
	total *int     // how many waiters all targets have
}

// A waiter is woken when there may be capacity for the triggers of one partition.
type waiter struct {
	partition int
	wake      func(n int)
}

// A wakeUp is a call of a waiter's wake. It is made after the mutex is unlocked.
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
func (w *waiters) wait(partition int, wake func(n int)) {
	w.withdraw(partition)
	w.list = append(w.list, waiter{partition, wake})
	*w.total++
}

// withdraw removes the partition's waiter, if it has one.
func (w *waiters) withdraw(partition int) {
	i := slices.IndexFunc(w.list, func(one waiter) bool { return one.partition == partition })
	if i >= 0 {
		w.list = slices.Delete(w.list, i, i+1)
		*w.total--
	}
}

// popAll removes all waiters, and appends the calls that wake them, each with its share of n.
func (w *waiters) popAll(calls []wakeUp, n int) []wakeUp {
	for _, one := range w.list {
		calls = append(calls, wakeUp{one.wake, max(1, n/len(w.list))})
	}
	*w.total -= len(w.list)
	w.list = nil
	return calls
}
