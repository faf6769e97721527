package engine

import (
	"time"
)

// overloadWindow is the time over which a loop is judged.
const overloadWindow = 5 * time.Second

// An overload tells whether a loop has more work than it can do: whether for most of the last
// window its turns have left work behind. Triggers then wait for their turn, in fair shares; the
// log and a metric say so. Health does not change. Its fields belong to the loop.
type overload struct {
	since      time.Time     // beginning of the window; zero before the first
	busy       time.Duration // of the window, in turns that left work behind
	overloaded bool
}

// observe notes a turn from begin to end, and whether it left work behind. It reports whether
// overloaded has changed.
func (o *overload) observe(begin, end time.Time, hasMore bool) (changed bool) {
	if o.since.IsZero() {
		o.since = begin
	}
	if hasMore {
		o.busy += end.Sub(begin)
	}
	window := end.Sub(o.since)
	if window < overloadWindow {
		return false
	}
	was := o.overloaded
	o.overloaded = 2*o.busy > window
	o.since, o.busy = end, 0
	return o.overloaded != was
}
