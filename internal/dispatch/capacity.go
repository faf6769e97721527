package dispatch

import (
	"slices"

	"carillon/internal/job"
)

// HasCapacity reports whether a stream that serves the target would take a small trigger now. It does
// not consider concurrency limits.
func (d *Dispatcher) HasCapacity(target job.Target) bool {
	const bytes = 1
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.targets[target]
	return r != nil && d.payload.fits(target, bytes) && slices.ContainsFunc(r.streams, func(s *Stream) bool { return s.fits(bytes) })
}
