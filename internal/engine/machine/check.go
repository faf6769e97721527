package machine

import (
	"fmt"
	"slices"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
)

// Check returns which invariant of the machine is broken between two turns, or nil. It is for
// tests.
func (m *Machine) Check() error {
	if len(m.Batch.Writes) > 0 {
		return fmt.Errorf("%d writes were not committed", len(m.Batch.Writes))
	}
	if len(m.ended)+len(m.replaced)+len(m.unparked) > 0 {
		return fmt.Errorf("%v, %v or %v are left from a turn", m.ended, m.replaced, m.unparked)
	}
	for _, check := range []func() error{m.checkInFlight, m.checkHeap, m.checkRefills, m.checkQueues} {
		if err := check(); err != nil {
			return err
		}
	}
	for id, l := range m.lanes {
		if err := l.check(id); err != nil {
			return fmt.Errorf("lane %v: %w", id, err)
		}
	}
	return nil
}

func (m *Machine) checkInFlight() error {
	if len(m.deliveries) != m.inFlight.Held() {
		return fmt.Errorf("%d deliveries are in flight, and %d are counted", len(m.deliveries), m.inFlight.Held())
	}
	held := map[job.Target]int{}
	for k := range m.deliveries {
		held[k.Target]++
	}
	for target, n := range held {
		if got := m.inFlight.HeldBy(target); got != n {
			return fmt.Errorf("%d deliveries to %v are in flight, and %d are counted", n, target, got)
		}
	}
	return nil
}

func (m *Machine) checkHeap() error {
	for i, l := range m.waiting {
		if l.state != laneWaiting || l.index != i || !l.wake.Equal(l.wakeTime()) {
			return fmt.Errorf("lane %v is not in the heap where it says", l.id)
		}
		if parent := (i - 1) / 2; i > 0 && l.wake.Before(m.waiting[parent].wake) {
			return fmt.Errorf("lane %v wakes before its parent in the heap", l.id)
		}
	}
	return nil
}

func (m *Machine) checkRefills() error {
	for i, l := range m.refills {
		if !l.refilling || m.lanes[l.id] != l && len(l.window) > 0 || slices.Contains(m.refills[:i], l) {
			return fmt.Errorf("lane %v is to be refilled without need, or twice", l.id)
		}
	}
	return nil
}

func (m *Machine) checkQueues() error {
	readyOf, ready, entries := map[job.Target]int{}, 0, 0
	for id, l := range m.lanes {
		entries += len(l.window)
		switch l.state {
		case laneReady:
			readyOf[id.Target]++
			ready++
		case laneThrottled:
			if !slices.Contains(m.throttled[id.Target], l) {
				return fmt.Errorf("lane %v is throttled and would not be resumed", id)
			}
		case laneIdle, laneWaiting, laneParked:
		}
		if m.ready.LenOf(id.Target) < readyOf[id.Target] {
			return fmt.Errorf("lane %v says that it is ready, and is not queued", id)
		}
	}
	for target, all := range m.throttled {
		for i, l := range all {
			if l.state != laneThrottled || m.lanes[l.id] != l || slices.Contains(all[:i], l) {
				return fmt.Errorf("lane %v is listed as throttled with %v, and is not, or twice", l.id, target)
			}
		}
	}
	if m.windowEntries != entries {
		return fmt.Errorf("%d entries are in the windows, and %d are counted", entries, m.windowEntries)
	}
	if m.ready.Len() != ready {
		return fmt.Errorf("%d lanes say that they are ready, and %d are queued", ready, m.ready.Len())
	}
	return nil
}

func (l *Lane) check(id record.LaneID) error {
	switch {
	case l.id != id:
		return fmt.Errorf("filed under %v", id)
	case len(l.window) == 0 && !l.more:
		return fmt.Errorf("kept without entries")
	case len(l.window) > l.size || l.size > maxWindow:
		return fmt.Errorf("%d entries in a window of %d", len(l.window), l.size)
	case !slices.IsSortedFunc(l.window, Attempt.compare):
		return fmt.Errorf("window out of order")
	case len(l.window) > 0 && l.more && l.window[len(l.window)-1].Compare(l.cursor) > 0:
		return fmt.Errorf("window reaches past the cursor")
	case l.state == laneIdle && !l.refilling:
		return fmt.Errorf("idle with entries")
	case l.counted != len(l.window):
		return fmt.Errorf("%d entries in the window, and %d are counted", len(l.window), l.counted)
	case l.needsRefill() && l.state != laneParked && l.state != laneThrottled && !l.refilling:
		return fmt.Errorf("needs a refill that is not requested")
	case l.reserved == 0 && !l.notBefore.IsZero():
		return fmt.Errorf("waits until %v for a quota of which it has reserved nothing", l.notBefore)
	case l.tombstones != nil && l.tombstones.from.Compare(l.tombstones.to) >= 0:
		return fmt.Errorf("tombstones from %v to %v", l.tombstones.from, l.tombstones.to)
	}
	return nil
}

// Find reports in which of the three places e is. It is for tests.
func (m *Machine) Find(e record.Entry) (inWindow, onDisk, inFlight bool) {
	if l := m.lanes[e.Lane()]; l != nil {
		_, inWindow = l.find(e)
		onDisk = l.more && e.Compare(l.cursor) > 0 && !l.tombstones.contains(e)
	}
	d := m.deliveries[e.Key]
	return inWindow, onDisk, d != nil && (!d.Replaced || d.next != nil && d.next.Compare(e) == 0)
}

// Delivery returns the delivery of k that is in flight, or nil. It is for tests.
func (m *Machine) Delivery(k job.Key) *Delivery { return m.deliveries[k] }

// A LaneView shows what a machine holds of a lane. It is for tests.
type LaneView struct {
	ID       record.LaneID
	Text     string // all of it, with instants relative to an epoch
	Reserved int    // triggers that the lane has reserved of its quota
}

// Lanes shows all lanes. It is for tests.
func (m *Machine) Lanes(epoch time.Time) []LaneView {
	all := make([]LaneView, 0, len(m.lanes))
	for id, l := range m.lanes {
		all = append(all, LaneView{ID: id, Text: l.describe(epoch), Reserved: l.reserved})
	}
	return all
}

func (l *Lane) describe(epoch time.Time) string {
	at := func(t time.Time) string { return t.Sub(epoch).String() }
	entry := func(e record.Entry) string { return e.Key.Name + "@" + at(e.Due) }
	names := make([]string, len(l.window))
	for i, a := range l.window {
		names[i] = entry(a.Entry)
		if a.delay != nil {
			names[i] += fmt.Sprintf("(ready %s, by app %v)", at(a.delay.until), a.delay.byApp)
		}
	}
	text := fmt.Sprintf("window %v of %d", names, l.size)
	if l.more {
		text += " and more after " + entry(l.cursor)
	}
	if l.tombstones != nil {
		text += fmt.Sprintf(", tombstones from %s to %s", entry(l.tombstones.from), entry(l.tombstones.to))
	}
	switch l.state {
	case laneWaiting:
		text += ", until " + at(l.wake)
	case laneReady:
		text += ", ready"
	case laneThrottled:
		text += ", throttled"
	case laneParked:
		text += ", parked"
	case laneIdle:
		text += ", idle"
	}
	if !l.blocked.until.IsZero() {
		text += ", blocked from " + at(l.blocked.from) + " until " + at(l.blocked.until)
	}
	if l.credit > 0 {
		text += fmt.Sprintf(", credit %d", l.credit)
	}
	if l.reserved > 0 {
		text += fmt.Sprintf(", reserved %d", l.reserved)
	}
	if !l.notBefore.IsZero() {
		text += ", not before " + at(l.notBefore)
	}
	return text
}

// LeastFree returns the lowest free capacity for triggers in flight since throttled lanes were
// resumed. It is for tests.
func (m *Machine) LeastFree() int { return m.leastFree }
