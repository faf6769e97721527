package engine

import (
	"time"

	"carillon/internal/when"
)

// A delay says what has kept an attempt from leaving that is due, but for the scheduler. It is in memory alone, and does not
// change.
type delay struct {
	until time.Time     // before which it could not leave
	byApp time.Duration // how long its app has kept it waiting: by an attempt that it had, or one that it failed
}

// free returns when the attempt at e could leave: when it was due, or, if that is later, when nothing but the scheduler
// kept it any more.
func (e entry) free() time.Time {
	if e.delay != nil && e.delay.until.After(e.due) {
		return e.delay.until
	}
	return e.due
}

// byApp returns how long its app has kept the attempt at e waiting.
func (e entry) byApp() time.Duration {
	if e.delay == nil {
		return 0
	}
	return e.delay.byApp
}

// heldUntil is e, if it could not leave before t.
func (e entry) heldUntil(t time.Time) entry {
	if t.After(e.free()) {
		e.delay = &delay{until: t, byApp: e.byApp()}
	}
	return e
}

// again is e as the next attempt at the occurrence that d was one at, which has ended at that instant: the app has kept
// it waiting from when d left on, until it is due.
func (d *delivery) again(e entry, ended time.Time) entry {
	h := delay{until: ended, byApp: d.entry.byApp()}
	if e.due.After(ended) {
		h.until = e.due
	}
	h.byApp += max(0, h.until.Sub(d.left))
	e.delay = &h
	return e
}

// behind is e, which nothing has kept yet, as the first attempt at the occurrence that follows d's, which has ended at that
// instant: the app has kept it waiting if it was due while d was out.
func (d *delivery) behind(e entry, ended time.Time) entry {
	if !e.due.Before(ended) {
		return e
	}
	from := d.left
	if e.due.After(from) {
		from = e.due
	}
	e.delay = &delay{until: ended, byApp: max(0, ended.Sub(from))}
	return e
}

// maxLateness is as how much a longer lateness counts, in seconds. A job may have been due thousands of years before it was
// scheduled, and no restart remembers when that was: one of them would be all that is to be seen in the sum.
const maxLateness = 24 * 60 * 60

// observe notes that d has left, at that instant.
func (m *metrics) observe(d *delivery, now time.Time) {
	d.left = now
	m.lateness.Observe(min(maxLateness, max(0, when.Seconds(d.entry.free(), now))))
	if by := d.entry.byApp(); by > 0 {
		m.appDelay.Observe(by.Seconds())
	}
}
