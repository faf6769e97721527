package machine

import (
	"slices"

	"carillon/internal/engine/record"
)

// requestRefill notes that l needs a refill, if it does.
func (m *Machine) requestRefill(l *Lane) {
	if l.state != laneParked && l.state != laneThrottled && l.needsRefill() && !l.refilling {
		l.refilling = true
		m.refills = append(m.refills, l)
	}
}

// TakeRefills returns the lanes that need a refill. The caller gives each to GrowWindow, reads so
// many entries of its Unread ranges, and gives them to Refill.
func (m *Machine) TakeRefills() []*Lane {
	lanes := m.refills
	m.refills = nil
	return lanes
}

// GrowWindow enlarges the window of l for a refill, and returns how many entries to read.
func (m *Machine) GrowWindow(l *Lane) int {
	limit := maxWindow
	if m.windowsFull() {
		limit = max(minWindow, len(l.window))
	}
	l.size = min(2*l.size, limit)
	return l.size - len(l.window)
}

// Refill gives l the entries that were read after its cursor; more says that others follow them.
func (m *Machine) Refill(l *Lane, read []record.Entry, more bool) {
	l.refilling = false
	l.noteTombstones(read)
	l.extend(read, more)
	m.updateLane(l)
}

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
	if m.windowsFull() {
		l.size = tinyWindow
		l.trim()
		l.window = slices.Clip(slices.Clone(l.window))
		m.countEntries(l)
	}
}
