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
	stall stall         // of its lane, with which it has left that; zero if there was none
	rest  *delay        // what it was without that stall
}

// free returns when the attempt at e could leave: when it was due, or, if that is later, when nothing but the scheduler
// kept it any more.
func (e attempt) free() time.Time {
	if e.delay != nil && e.delay.until.After(e.Due) {
		return e.delay.until
	}
	return e.Due
}

// byApp returns how long its app has kept the attempt at e waiting.
func (e attempt) byApp() time.Duration {
	if e.delay == nil {
		return 0
	}
	return e.delay.byApp
}

// A stall is a time in which a lane could fire nothing, for reasons that are not the scheduler's. Times that follow one
// another, while entries that are due stay in the lane, are one stall, as long as all of them together.
type stall struct{ from, until time.Time }

// stall notes that the lane could fire nothing from one instant to another.
func (l *lane) stall(from, until time.Time) {
	if len(l.window) > 0 && l.window[0].Due.Before(l.stalled.until) { // which that has delayed, too
		from = from.Add(-l.stalled.until.Sub(l.stalled.from))
	}
	l.stalled = stall{from, until}
}

// delayedBy is e, which could not leave during s. What delayed it before that, or since, is the scheduler's.
func (e attempt) delayedBy(s stall) attempt {
	free := e.free()
	switch {
	case !free.Before(s.until):
		return e
	case free.Before(s.from):
		free = free.Add(s.until.Sub(s.from))
	default:
		free = s.until
	}
	e.delay = &delay{until: free, byApp: e.byApp()}
	return e
}

// withStall is e as it leaves its lane, after a stall of that.
func (e attempt) withStall(s stall) attempt {
	before := e.delay
	if e = e.delayedBy(s); e.delay != before {
		e.delay.stall, e.delay.rest = s, before
	}
	return e
}

// comeBack is e as it comes back into its lane l, which may be stalled for longer: the stall with which it left is the
// lane's again, which may have been forgotten and made anew meanwhile.
func (l *lane) comeBack(e attempt) attempt {
	if e.delay == nil || e.delay.stall == (stall{}) {
		return e
	}
	if e.delay.stall.until.After(l.stalled.until) {
		l.stalled = e.delay.stall
	}
	e.delay = e.delay.rest
	return e
}

// again is e as the next attempt at the occurrence that d was one at, which has ended at that instant: the app has kept
// it waiting from when d left on, until it is due.
func (d *delivery) again(e attempt, ended time.Time) attempt {
	h := delay{until: ended, byApp: d.entry.byApp()}
	if e.Due.After(ended) {
		h.until = e.Due
	}
	h.byApp += max(0, h.until.Sub(d.left))
	e.delay = &h
	return e
}

// behind is e, which nothing has kept yet, as the first attempt at the occurrence that follows d's, which has ended at that
// instant: the app has kept it waiting if it was due while d was out.
func (d *delivery) behind(e attempt, ended time.Time) attempt {
	if !e.Due.Before(ended) {
		return e
	}
	from := d.left
	if e.Due.After(from) {
		from = e.Due
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
