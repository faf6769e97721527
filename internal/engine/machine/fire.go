package machine

import (
	"container/heap"
	"time"

	"carillon/internal/engine/record"
)

// Pick removes up to limit due attempts from the windows. It takes each target in turn, and each
// lane of a target in turn, within what they may have in flight and what their quota allows. The
// caller gives each attempt to Fire, or to Requeue.
func (m *Machine) Pick(now time.Time, limit int) []Attempt {
	if now.Before(m.picked) {
		m.endQuotaWaits()
	}
	m.picked = now
	m.wakeLanes(now)
	var picked []Attempt
	for len(picked) < limit {
		target, ok := m.ready.Next()
		if !ok {
			break
		}
		free := m.inFlight.Available(target)
		if free == 0 {
			m.throttle(target)
			continue
		}
		_, l := m.ready.Pop()
		reserved := m.reserveQuota(now, l, min(quantum, limit-len(picked), free))
		if reserved == 0 {
			m.ready.Charge(target, 1)
			l.state = laneIdle
			m.updateLane(l)
			continue
		}
		before := len(picked)
		taken := l.take(now, min(reserved, l.takeCredit()))
		for _, a := range taken {
			a = a.leaving(l.blocked)
			if d := m.deliveries[a.Key]; d != nil {
				if d.Replaced { // otherwise a is in flight itself, and was loaded again
					d.next = &a
				}
				continue
			}
			picked = append(picked, a)
		}
		fired := len(picked) - before
		m.inFlight.Acquire(target, fired)
		m.spendQuota(now, l, len(taken), fired)
		m.ready.Charge(target, max(1, fired))
		if len(l.window) > 0 && !l.window[0].Due.After(now) {
			m.ready.Push(target, l)
			m.countEntries(l)
			m.requestRefill(l)
		} else {
			l.state = laneIdle
			m.updateLane(l)
		}
	}
	return picked
}

// endQuotaWaits ends the waits of all lanes for their quota. The wall clock was set back, by which
// they would wait longer.
func (m *Machine) endQuotaWaits() {
	for _, l := range m.lanes {
		if !l.notBefore.IsZero() {
			l.notBefore = time.Time{}
			m.updateLane(l)
		}
	}
}

// wakeLanes makes the lanes ready that have waited until now.
func (m *Machine) wakeLanes(now time.Time) {
	for len(m.waiting) > 0 && !m.waiting[0].wake.After(now) {
		l := heap.Pop(&m.waiting).(*Lane)
		l.state = laneReady
		m.ready.Push(l.id.Target, l)
	}
}

// Fire makes a delivery of a, which was picked and whose job is r. It returns nil if a is no longer
// owed.
func (m *Machine) Fire(a Attempt, r Stored) *Delivery {
	if r.Spec == nil || !r.Due().Equal(a.Due) {
		// No record stands behind an entry of the index only if the store is damaged. The entry is
		// all that is left of a job, and stays, unless the job has another entry.
		m.endInFlight(a.Key.Target)
		m.refundQuota(a.Key.Target.Namespace, 1)
		if r.Obsolete {
			m.addFence(a.Partition)
			m.Batch.Delete(record.DueKey(a.Entry))
		}
		return nil
	}
	m.lastNumber++
	d := &Delivery{
		number: m.lastNumber, Attempt: a, Due: r.Occurrence(),
		plan: r.Spec.Plan, policy: r.Spec.Policy, State: r.State, hasState: r.HasState,
	}
	m.deliveries[a.Key] = d
	return d
}

// Requeue puts a, which was picked and not fired, back into its window.
func (m *Machine) Requeue(a Attempt) {
	m.endInFlight(a.Key.Target)
	m.refundQuota(a.Key.Target.Namespace, 1)
	m.insert(a)
}

// CanSend reports whether d, which was fired in this turn, may go to a receiver: a command of the
// turn may have replaced its job, or its lane may have been parked since.
func (m *Machine) CanSend(d *Delivery) bool { return !d.Replaced && !m.IsParked(d.Attempt.Lane()) }

// Cancel takes back a delivery that was not sent. Its job is due again at once.
func (m *Machine) Cancel(d *Delivery) {
	m.discard(d)
	m.endInFlight(d.Attempt.Key.Target)
	m.refundQuota(d.Attempt.Key.Target.Namespace, 1)
}

// Refuse takes back a delivery that no receiver has taken, and parks its lane until Unpark.
func (m *Machine) Refuse(now time.Time, d *Delivery) {
	m.Cancel(d)
	l := m.lanes[d.Attempt.Lane()]
	if l == nil { // its job, or its partition, has gone meanwhile
		m.unparked = append(m.unparked, d.Attempt.Lane())
		return
	}
	if l.state == laneThrottled {
		m.unthrottle(l)
	}
	m.dequeue(l)
	l.state, l.parkedAt = laneParked, now
	m.shrink(l)
}

// Unpark says that receivers can take about n triggers of the lane again.
func (m *Machine) Unpark(now time.Time, id record.LaneID, n int) {
	if l := m.lanes[id]; l != nil && l.state == laneParked {
		l.state, l.credit = laneIdle, n
		l.block(l.parkedAt, now)
		m.updateLane(l)
	}
}

// IsParked reports whether the lane waits for its receivers.
func (m *Machine) IsParked(id record.LaneID) bool {
	l := m.lanes[id]
	return l != nil && l.state == laneParked
}

// TakeUnparked returns the lanes that were refused and are not parked any more, since it was called
// last. Nothing waits for their receivers, unless one has been parked again. The result is valid
// until the next call of a method.
func (m *Machine) TakeUnparked() []record.LaneID {
	ids := m.unparked
	m.unparked = m.unparked[:0]
	return ids
}

// discard forgets a delivery whose outcome says nothing about its job. The job is due again.
func (m *Machine) discard(d *Delivery) {
	delete(m.deliveries, d.Attempt.Key)
	switch {
	case !d.Replaced:
		m.insert(d.Attempt)
	case d.next != nil:
		m.insert(*d.next)
	}
}
