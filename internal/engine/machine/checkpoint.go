package machine

import (
	"carillon/internal/fair"
	"carillon/internal/job"
)

// Checkpoint makes the decisions since the last commit final: Rollback cannot undo them any more.
// Deliveries that have ended are no longer in flight.
func (m *Machine) Checkpoint() {
	for _, d := range m.ended {
		m.endInFlight(d.Attempt.Key.Target)
	}
	m.resumeAll()
	clear(m.ended)
	clear(m.replaced)
	m.ended, m.replaced = m.ended[:0], m.replaced[:0]
}

// Rollback undoes the decisions since the last commit, of which the store has applied nothing. It
// drops all lanes; the caller loads them again. Deliveries stay in flight.
func (m *Machine) Rollback() {
	for _, d := range m.ended {
		m.deliveries[d.Attempt.Key] = d
	}
	for _, d := range m.replaced {
		d.Replaced = false
	}
	m.ended, m.replaced = nil, nil
	m.dropLanes()
	m.Batch.Reset()
	for _, d := range m.deliveries {
		d.next = nil
	}
}

// Reset forgets all that was read from the store, and all partitions. Deliveries stay in flight, so
// that no job is delivered twice at a time. Their outcomes will be ignored, because it is unknown
// which record they belong to. Reset returns how many outcomes are ignored from now on.
func (m *Machine) Reset() (ignored int) {
	m.dropLanes()
	clear(m.partitions)
	m.Batch.Reset()
	m.inFlight = fair.NewPool[job.Target](m.inFlight.Limit(), guaranteed)
	for _, d := range m.deliveries {
		if !d.Replaced {
			ignored++
		}
		d.Replaced, d.next = true, nil
		m.inFlight.Acquire(d.Attempt.Key.Target, 1)
	}
	m.ended, m.replaced = nil, nil
	return ignored
}
