package machine

import (
	"carillon/internal/job"
)

// Targets share what may be in flight. The lanes of a target that has its share in flight are
// throttled until some of it is committed.

// throttle makes the ready lanes of a target wait until it may have more in flight.
func (m *Machine) throttle(target job.Target) {
	for _, l := range m.ready.Remove(target) {
		l.state = laneThrottled
		m.throttled[target] = append(m.throttled[target], l)
		m.shrink(l)
	}
}

// endInFlight notes that a trigger of a target is no longer in flight.
func (m *Machine) endInFlight(target job.Target) {
	m.inFlight.Release(target, 1)
	m.resume(target)
}

// resume makes the throttled lanes of a target ready if it may have more in flight.
func (m *Machine) resume(target job.Target) {
	lanes := m.throttled[target]
	if len(lanes) == 0 || m.inFlight.Available(target) == 0 {
		return
	}
	delete(m.throttled, target)
	for _, l := range lanes {
		if len(l.window) == 0 {
			l.state = laneIdle
			m.updateLane(l)
		} else {
			l.state = laneReady
			m.ready.Resume(target, l)
			m.requestRefill(l)
		}
	}
}

// resumeAll resumes all targets that may have more in flight, if much capacity has become free.
// Otherwise each resumes when its own triggers end: a throttled target has at least its guaranteed
// ones in flight.
func (m *Machine) resumeAll() {
	free := m.inFlight.Limit() - m.inFlight.Held()
	m.leastFree = min(m.leastFree, free)
	if free-m.leastFree < m.inFlight.Limit()/64 {
		return
	}
	m.leastFree = free
	for target := range m.throttled {
		m.resume(target)
	}
}
