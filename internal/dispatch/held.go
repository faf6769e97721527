package dispatch

import "carillon/internal/job"

// maxHeldSearch is how many held triggers one call of [Dispatcher.Held] looks at: it has the mutex
// meanwhile.
const maxHeldSearch = 10_000

// Held returns which of the jobs of a target have a trigger that a [ConcurrencyLimit] holds. It
// looks at 10,000 held triggers at most: with more, jobs may be missing.
func (d *Dispatcher) Held(target job.Target, keys []job.Key) map[job.Key]bool {
	d.shared.mu.Lock()
	defer d.shared.mu.Unlock()
	t := d.targets[target]
	if t == nil || t.limits == nil || t.limits.held.count == 0 {
		return nil
	}
	held := make(map[job.Key]bool, len(keys))
	for _, k := range keys {
		held[k] = false
	}
	left := maxHeldSearch
	for sem := range t.limits.all {
		for i := range min(sem.queue.Len(), left) {
			if _, asked := held[sem.queue.At(i).t.Key]; asked {
				held[sem.queue.At(i).t.Key] = true
			}
		}
		left -= min(sem.queue.Len(), left)
	}
	return held
}

// HeldCount returns how many triggers of a target a [ConcurrencyLimit] holds.
func (d *Dispatcher) HeldCount(target job.Target) int {
	d.shared.mu.Lock()
	defer d.shared.mu.Unlock()
	if t := d.targets[target]; t != nil && t.limits != nil {
		return t.limits.held.count
	}
	return 0
}
