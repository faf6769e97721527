package machine

import (
	"container/heap"
	"slices"

	"carillon/internal/engine/record"
	"carillon/internal/fair"
	"carillon/internal/job"
)

// lane returns the lane with that id, a new one if there is none.
func (m *Machine) lane(id record.LaneID) *Lane {
	l := m.lanes[id]
	if l == nil {
		l = &Lane{id: id, size: minWindow}
		if m.windowsFull() {
			l.size = tinyWindow
		}
		m.lanes[id] = l
	}
	return l
}

// insert adds a to its lane.
func (m *Machine) insert(a Attempt) {
	if p := m.partitions[a.Partition]; p == nil || p.stopped {
		return // the index has it, for the next owner
	}
	l := m.lane(a.Lane())
	l.insert(l.returning(a))
	if l.state != laneReady {
		m.shrink(l)
	}
	m.updateLane(l)
}

// removeEntry removes e from its lane.
func (m *Machine) removeEntry(e record.Entry) {
	if l := m.lanes[e.Lane()]; l != nil {
		l.remove(e)
		m.updateLane(l)
	}
}

// updateLane puts l where it belongs after its window has changed.
func (m *Machine) updateLane(l *Lane) {
	m.countEntries(l)
	m.requestRefill(l)
	if len(l.window) == 0 {
		m.dequeue(l)
		if !l.more {
			m.dropLane(l)
		}
		return
	}
	switch l.state {
	case laneIdle:
		l.state, l.wake = laneWaiting, l.wakeTime()
		heap.Push(&m.waiting, l)
	case laneWaiting:
		l.wake = l.wakeTime()
		heap.Fix(&m.waiting, l.index)
	case laneReady, laneThrottled, laneParked:
	}
}

// dequeue removes l from the waiting or the ready lanes. A lane that is throttled or parked stays
// so.
func (m *Machine) dequeue(l *Lane) {
	switch l.state {
	case laneWaiting:
		heap.Remove(&m.waiting, l.index)
		l.state = laneIdle
	case laneReady:
		m.ready.DeleteFunc(l.id.Target, func(other *Lane) bool { return other == l })
		l.state = laneIdle
	case laneIdle, laneThrottled, laneParked:
	}
}

// dropLane forgets l, in whatever state it is.
func (m *Machine) dropLane(l *Lane) {
	m.refundQuota(l.id.Target.Namespace, l.reserved)
	m.dequeue(l)
	switch l.state {
	case laneThrottled:
		m.unthrottle(l)
	case laneParked:
		m.unparked = append(m.unparked, l.id)
	case laneIdle, laneWaiting, laneReady:
	}
	m.windowEntries -= l.counted
	delete(m.lanes, l.id)
}

// dropLanes forgets all lanes.
func (m *Machine) dropLanes() {
	for id, l := range m.lanes {
		m.refundQuota(id.Target.Namespace, l.reserved)
		if l.state == laneParked {
			m.unparked = append(m.unparked, id)
		}
	}
	m.lanes, m.waiting, m.refills, m.windowEntries = map[record.LaneID]*Lane{}, nil, nil, 0
	m.ready, m.throttled = fair.NewQueue[job.Target, *Lane](quantum), map[job.Target][]*Lane{}
}

// unthrottle removes l from the throttled lanes. The caller sets its state.
func (m *Machine) unthrottle(l *Lane) {
	others := slices.DeleteFunc(m.throttled[l.id.Target], func(other *Lane) bool { return other == l })
	m.throttled[l.id.Target] = others
	if len(others) == 0 {
		delete(m.throttled, l.id.Target)
	}
}
