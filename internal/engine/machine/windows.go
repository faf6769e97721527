package machine

import "slices"

// countEntries counts the entries of l's window again.
func (m *Machine) countEntries(l *Lane) {
	m.windowEntries += len(l.window) - l.counted
	l.counted = len(l.window)
}

// windowsFull reports whether all windows together have more entries than triggers may be in
// flight. Then windows do not grow, and lanes that are new or have to wait keep next to nothing in
// memory.
func (m *Machine) windowsFull() bool { return m.windowEntries > m.inFlight.Limit() }

// shrink takes memory from l, which has to wait, if windows are full.
func (m *Machine) shrink(l *Lane) {
	if !m.windowsFull() {
		return
	}
	l.size = tinyWindow
	l.trim()
	if cap(l.window) > tinyWindow {
		l.window = slices.Clip(slices.Clone(l.window))
	}
	m.countEntries(l)
}

// requestRefill notes that l needs a refill, if it does.
func (m *Machine) requestRefill(l *Lane) {
	if l.state != laneParked && l.state != laneThrottled && l.needsRefill() && !l.refilling {
		l.refilling = true
		m.refills = append(m.refills, l)
	}
}
