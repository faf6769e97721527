package engine

import (
	"container/heap"
	"slices"

	"carillon/internal/engine/record"
	"carillon/internal/fair"
	"carillon/internal/job"
)

// How lanes come, move between the heap and the line, and go.

// lane returns the lane of that name, a new one if there is none.
func (m *machine) lane(id record.LaneID) *lane {
	l := m.lanes[id]
	if l == nil {
		l = &lane{id: id, size: minWindow}
		if m.full() {
			l.size = tinyWindow
		}
		m.lanes[id] = l
	}
	return l
}

// insert adds e to its lane.
func (m *machine) insert(e attempt) {
	if o := m.owned[e.Partition]; o == nil || o.leaving {
		return // it is in the index, for whoever owns it next
	}
	l := m.lane(e.Lane())
	if m.full() && l.place == inHeap {
		l.size = tinyWindow
		l.trim()
	}
	l.insert(l.comeBack(e))
	m.place(l)
}

// take removes e from its lane.
func (m *machine) take(e record.Entry) {
	if l := m.lanes[e.Lane()]; l != nil {
		l.remove(e)
		m.place(l)
	}
}

// place puts l where it belongs after its window has changed.
func (m *machine) place(l *lane) {
	m.tally(l)
	m.thirst(l)
	if len(l.window) == 0 {
		m.leave(l)
		if !l.more {
			m.dropLane(l)
		}
		return
	}
	switch l.place {
	case nowhere:
		l.place, l.next = inHeap, l.wakes()
		heap.Push(&m.waiting, l)
	case inHeap:
		l.next = l.wakes()
		heap.Fix(&m.waiting, l.index)
	case inLine, throttled, parked:
	}
}

// leave takes l out of the heap, or out of the line. A lane that is throttled or parked stays so.
func (m *machine) leave(l *lane) {
	switch l.place {
	case inHeap:
		heap.Remove(&m.waiting, l.index)
		l.place = nowhere
	case inLine:
		m.ready.DeleteFunc(l.id.Target, func(other *lane) bool { return other == l })
		l.place = nowhere
	case nowhere, throttled, parked:
	}
}

// dropLane lets go of l, wherever it stands.
func (m *machine) dropLane(l *lane) {
	m.refund(l, l.prepaid)
	m.leave(l)
	switch l.place {
	case throttled:
		m.unthrottle(l)
	case parked:
		m.gone = append(m.gone, l.id)
	case nowhere, inHeap, inLine:
	}
	m.entries -= l.tallied
	delete(m.lanes, l.id)
}

// thirst notes whether l wants a refill.
func (m *machine) thirst(l *lane) {
	if l.place != parked && l.place != throttled && l.dry() && !l.thirsty {
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

// grow makes room for a refill of l, and returns how many entries to read for it.
func (m *machine) grow(l *lane) int {
	most := maxWindow
	if m.full() {
		most = max(minWindow, len(l.window))
	}
	l.size = min(2*l.size, most)
	return l.size - len(l.window)
}

// tally counts the entries of l's window anew.
func (m *machine) tally(l *lane) {
	m.entries += len(l.window) - l.tallied
	l.tallied = len(l.window)
}

// full reports whether windows have as many entries as they may have: as many as triggers may be in flight. Then they do
// not grow, and lanes that are new or have to wait have next to none.
func (m *machine) full() bool { return m.entries > m.inFlight.Limit() }

// shrink takes memory from l, which waits, if it is scarce.
func (m *machine) shrink(l *lane) {
	if m.full() {
		l.size = tinyWindow
		l.trim()
		l.window = slices.Clip(slices.Clone(l.window))
		m.tally(l)
	}
}

// water gives l what was read behind its cursor.
func (m *machine) water(l *lane, read []record.Entry, more bool) {
	l.thirsty = false
	l.see(read)
	l.refill(read, more)
	m.place(l)
}

// throttle has the lanes of a target wait until it may have more in flight.
func (m *machine) throttle(target job.Target) {
	for _, l := range m.ready.Remove(target) {
		l.place = throttled
		m.throttled[target] = append(m.throttled[target], l)
		m.shrink(l)
	}
}

// unthrottle takes l out of those that wait until their target may have more in flight. The caller says where l stands now.
func (m *machine) unthrottle(l *lane) {
	others := slices.DeleteFunc(m.throttled[l.id.Target], func(other *lane) bool { return other == l })
	m.throttled[l.id.Target] = others
	if len(others) == 0 {
		delete(m.throttled, l.id.Target)
	}
}

// resume has the lanes of all targets go on that may have more in flight, if much has become free. Otherwise each waits for
// what it has in flight itself: a target that is throttled has its guaranteed part.
func (m *machine) resume() {
	free := m.inFlight.Limit() - m.inFlight.Held()
	m.leastFree = min(m.leastFree, free)
	if free-m.leastFree < m.inFlight.Limit()/64 {
		return
	}
	m.leastFree = free
	for target := range m.throttled {
		m.resumeTarget(target)
	}
}

// resumeTarget has the lanes of a target go on if it may have more in flight.
func (m *machine) resumeTarget(target job.Target) {
	lanes := m.throttled[target]
	if len(lanes) == 0 || m.inFlight.Room(target) == 0 {
		return
	}
	delete(m.throttled, target)
	for _, l := range lanes {
		if len(l.window) == 0 {
			l.place = nowhere
			m.place(l)
		} else {
			l.place = inLine
			m.ready.Resume(target, l)
			m.thirst(l)
		}
	}
}

// dropLanes forgets what was learned from the index.
func (m *machine) dropLanes() {
	for id, l := range m.lanes {
		m.refund(l, l.prepaid)
		if l.place == parked {
			m.gone = append(m.gone, id)
		}
	}
	m.lanes, m.waiting, m.dry, m.entries = map[record.LaneID]*lane{}, nil, nil, 0
	m.ready, m.throttled = fair.NewQueue[job.Target, *lane](quantum), map[job.Target][]*lane{}
}
