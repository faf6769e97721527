package engine

import (
	"container/heap"
	"slices"
)

// How lanes come, move between the heap and the line, and go.

// lane returns the lane of that name, a new one if there is none.
func (m *machine) lane(id laneID) *lane {
	l := m.lanes[id]
	if l == nil {
		l = &lane{id: id, size: minWindow}
		m.lanes[id] = l
	}
	return l
}

// insert adds e to its lane.
func (m *machine) insert(e entry) {
	if o := m.owned[e.partition]; o == nil || o.leaving {
		return // it is in the index, for whoever owns it next
	}
	l := m.lane(e.lane())
	l.insert(e)
	m.place(l)
}

// take removes e from its lane.
func (m *machine) take(e entry) {
	if l := m.lanes[e.lane()]; l != nil {
		l.remove(e)
		m.place(l)
	}
}

// place puts l where it belongs after its window has changed.
func (m *machine) place(l *lane) {
	m.thirst(l)
	if len(l.window) == 0 {
		m.leave(l)
		if !l.more {
			delete(m.lanes, l.id)
		}
		return
	}
	switch l.place {
	case nowhere:
		l.place, l.next = inHeap, l.window[0].due
		heap.Push(&m.waiting, l)
	case inHeap:
		l.next = l.window[0].due
		heap.Fix(&m.waiting, l.index)
	case inLine, parked:
	}
}

// leave takes l out of the heap, or out of the line. A parked lane stays parked.
func (m *machine) leave(l *lane) {
	switch l.place {
	case inHeap:
		heap.Remove(&m.waiting, l.index)
		l.place = nowhere
	case inLine:
		m.ready = slices.DeleteFunc(m.ready, func(other *lane) bool { return other == l })
		l.place = nowhere
	case nowhere, parked:
	}
}

// thirst notes whether l wants a refill.
func (m *machine) thirst(l *lane) {
	if l.place != parked && l.dry() && !l.thirsty {
		l.thirsty = true
		m.dry = append(m.dry, l)
	}
}

// thirsty returns the lanes to refill, each of which is to be given to water with what lies behind its cursor.
func (m *machine) thirsty() []*lane {
	dry := m.dry
	m.dry = nil
	return dry
}

// grow makes room for a refill, and returns how many entries to read for it.
func (l *lane) grow() int {
	l.size = min(2*l.size, maxWindow)
	return l.size - len(l.window)
}

// water gives l what was read behind its cursor.
func (m *machine) water(l *lane, read []entry, more bool) {
	l.thirsty = false
	l.see(read)
	l.refill(read, more)
	m.place(l)
}
