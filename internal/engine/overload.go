package engine

import (
	"context"
	"log/slog"
	"time"
)

// overloadWindow is over how long it is judged whether there is more work than turns take.
const overloadWindow = 5 * time.Second

// An overload knows whether a loop has more work than it can do: whether for most of the latest window its turns have left
// work behind. Then triggers wait for their turn, in fair shares, and the log and a metric say so. That is no fault:
// health does not change. Its fields are the loop's.
type overload struct {
	since  time.Time     // when the window began; zero before the first
	behind time.Duration // of the window, spent in turns that left work
	on     bool
}

// observe notes a turn from begin to end, and whether it left work. It reports whether that changes what on says.
func (o *overload) observe(begin, end time.Time, left bool) (changed bool) {
	if o.since.IsZero() {
		o.since = begin
	}
	if left {
		o.behind += end.Sub(begin)
	}
	took := end.Sub(o.since)
	if took < overloadWindow {
		return false
	}
	was := o.on
	o.on = 2*o.behind > took
	o.since, o.behind = end, 0
	return o.on != was
}

// judge says so when the loop becomes overloaded, and when it no longer is.
func (lp *loop) judge(ctx context.Context, begin time.Time, w *work) {
	if !lp.overload.observe(begin, time.Now(), w.left) {
		return
	}
	if !lp.overload.on {
		lp.log.LogAttrs(ctx, slog.LevelInfo, "the node is below its capacity again")
		return
	}
	outcomes, commands := lp.inbox.waiting()
	lp.log.LogAttrs(ctx, slog.LevelWarn, "the node is at its capacity: triggers that are due wait for their turn",
		slog.Int("in_flight", lp.machine.inFlight.Held()), slog.Int("waiting_outcomes", outcomes), slog.Int("waiting_commands", commands))
}
