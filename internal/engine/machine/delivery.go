package machine

import (
	"math"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/when"
)

// A Delivery is a trigger in flight. It keeps what its outcome is recorded by, and no payload. Its
// fields belong to the machine and its caller; Attempt does not change and may be read by anyone.
type Delivery struct {
	Attempt  Attempt
	Due      time.Time    // of the occurrence: before Attempt.Due if this is a retry
	State    record.State // of the job when it fired
	SentAt   time.Time    // when a receiver took it; zero if none has
	Replaced bool         // its job was rescheduled or removed since: the outcome is ignored
	Outcome  job.Outcome  // how it has ended; 0 if it has not
	Next     NextAttempt  // what follows, once it has ended

	number   uint64
	plan     when.Plan
	policy   job.Policy
	hasState bool     // the store holds the state
	next     *Attempt // what fires after this, if the replaced job fell due while this was in flight
}

// A NextAttempt is what follows a delivery that has ended.
type NextAttempt struct {
	Due   time.Time // zero if nothing follows
	Retry bool      // at the same occurrence
}

// Number returns the number of the delivery, which no other delivery of its machine has.
func (d *Delivery) Number() uint64 { return d.number }

// stateAfter returns how far the job has got if its delivery ended with o, and whether it is due
// again.
func (d *Delivery) stateAfter(o job.Outcome) (s record.State, more bool) {
	s = d.State
	if o == job.Failed {
		if s.Attempts < math.MaxUint32 {
			s.Attempts++
		}
		if s.Due, more = d.policy.Retry(d.Attempt.Due, s.Attempts); more {
			s.Occurrence = d.Due
			return s, true
		}
	}
	if s.Settled < math.MaxUint32 {
		s.Settled++
	}
	s.Last, s.Attempts = d.Due, 0
	s.Due, more = d.plan.Next(s.Settled, s.Last)
	return s, more
}

// delayRetry returns a, the next attempt at the same occurrence, after the delivery has ended. The
// app has delayed it since the delivery was sent, until it is due.
func (d *Delivery) delayRetry(a Attempt, ended time.Time) Attempt {
	h := delay{until: ended, byApp: d.Attempt.AppDelay()}
	if a.Due.After(ended) {
		h.until = a.Due
	}
	h.byApp += max(0, h.until.Sub(d.SentAt))
	a.delay = &h
	return a
}

// delayNext returns a, the first attempt at the next occurrence, after the delivery has ended. The
// app has delayed it if it was due while the delivery was in flight.
func (d *Delivery) delayNext(a Attempt, ended time.Time) Attempt {
	if !a.Due.Before(ended) {
		return a
	}
	from := d.SentAt
	if a.Due.After(from) {
		from = a.Due
	}
	a.delay = &delay{until: ended, byApp: max(0, ended.Sub(from))}
	return a
}
