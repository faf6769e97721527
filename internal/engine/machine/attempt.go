package machine

import (
	"time"

	"carillon/internal/engine/record"
)

// An Attempt is the next attempt at a job: its entry in the due index, and what has delayed it.
type Attempt struct {
	record.Entry

	delay *delay // nil if only the scheduler has kept it from leaving since it was due
}

// at returns the attempt at the same job at another instant, without a delay.
func (a Attempt) at(due time.Time) Attempt { return Attempt{Entry: a.At(due)} }

// compare orders attempts of one lane by their entries.
func (a Attempt) compare(b Attempt) int { return a.Compare(b.Entry) }

// ReadyAt returns when the attempt could have left: when it was due, or later if something other
// than the scheduler delayed it. Lateness counts from this instant.
func (a Attempt) ReadyAt() time.Time {
	if a.delay != nil && a.delay.until.After(a.Due) {
		return a.delay.until
	}
	return a.Due
}

// AppDelay returns how long its app has delayed the attempt, by an earlier attempt at the same job.
func (a Attempt) AppDelay() time.Duration {
	if a.delay == nil {
		return 0
	}
	return a.delay.byApp
}

// A delay says what has delayed an attempt, other than the scheduler. It is kept in memory only,
// and is immutable.
type delay struct {
	until   time.Time     // the attempt could not leave before
	byApp   time.Duration // of it, because an earlier attempt was in flight or had failed
	blocked blockedTime   // of its lane when the attempt left it; zero if the lane was not blocked
	before  *delay        // the delay without blocked
}

// delayedBy returns a, which could not leave during b. Time that a has waited outside of b is the
// scheduler's lateness, and stays so.
func (a Attempt) delayedBy(b blockedTime) Attempt {
	ready := a.ReadyAt()
	switch {
	case !ready.Before(b.until):
		return a
	case ready.Before(b.from):
		ready = ready.Add(b.until.Sub(b.from))
	default:
		ready = b.until
	}
	a.delay = &delay{until: ready, byApp: a.AppDelay()}
	return a
}

// leaving returns a as it leaves its lane, which was blocked during b.
func (a Attempt) leaving(b blockedTime) Attempt {
	before := a.delay
	if a = a.delayedBy(b); a.delay != before {
		a.delay.blocked, a.delay.before = b, before
	}
	return a
}

// A blockedTime is a time in which a lane could fire nothing, because of its receivers or of a
// quota. Consecutive ones, between which the lane never ran out of due attempts, are joined: the
// result ends with the last and is as long as all of them together.
type blockedTime struct{ from, until time.Time }
