package machine

import (
	"carillon/internal/engine/record"
)

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
