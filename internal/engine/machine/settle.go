package machine

import (
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
)

// Settle records that d ended with o at an instant. If it is unknown whether the app saw
// the trigger, the same attempt is made again.
func (m *Machine) Settle(d *Delivery, o job.Outcome, ended time.Time) {
	if !m.isCurrent(d) {
		return
	}
	m.ended = append(m.ended, d)
	d.Outcome, d.Next = o, NextAttempt{}
	if d.Replaced {
		m.discard(d)
		return
	}
	delete(m.deliveries, d.Attempt.Key)
	if o == job.Lost {
		d.Next = NextAttempt{d.Attempt.Due, true}
		m.insert(d.delayRetry(d.Attempt, ended))
		return
	}
	s, more := d.stateAfter(o)
	if !more {
		m.deleteJob(d.Attempt.Entry, d.hasState)
		return
	}
	d.Next = NextAttempt{s.Due, s.Attempts > 0}
	a := d.Attempt.at(s.Due)
	if d.Next.Retry {
		a = d.delayRetry(a, ended)
	} else {
		a = d.delayNext(a, ended)
	}
	m.saveState(d.Attempt.Entry, a, s)
}

// SettlesByDeletion reports whether Settle would write nothing but deletions, or nothing.
func (m *Machine) SettlesByDeletion(d *Delivery, o job.Outcome) bool {
	if !m.isCurrent(d) || d.Replaced || o == job.Lost {
		return true // nothing is written
	}
	_, more := d.stateAfter(o)
	return !more
}

// Forget drops a delivery that has ended with an outcome that cannot be recorded. It reports
// whether the delivery was in flight.
func (m *Machine) Forget(d *Delivery) bool {
	current := m.isCurrent(d)
	if current {
		delete(m.deliveries, d.Attempt.Key)
	}
	return current
}

// isCurrent reports whether d is the delivery of its job that is in flight.
func (m *Machine) isCurrent(d *Delivery) bool { return m.deliveries[d.Attempt.Key] == d }

// saveState writes how far the job at from has got, and moves it in the due index.
func (m *Machine) saveState(from record.Entry, to Attempt, s record.State) {
	m.addFence(from.Partition)
	m.Batch.Put(record.StateKey(from.Key), record.EncodeState(s))
	m.moveEntry(from, to)
}
