package engine

import (
	"container/heap"
	"fmt"
	"math"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/fair"
	"carillon/internal/job"
	"carillon/internal/store"
	"carillon/internal/when"
)

// quantum is how many triggers a target fires before the next one has its turn, and a lane before the next of its target.
const quantum = 16

// guaranteed is how many triggers a target may have in flight whatever others have.
const guaranteed = 8

// A machine decides for some partitions what is due and what follows. It does no I/O, reads no clock and starts no
// goroutine: it is told the time and given the records it needs, and leaves in batch what is to be committed before
// anybody hears of it.
//
// Each job that waits has one entry in the due index, and so is in one of three places: in the window of its lane;
// behind the cursor of its lane, on disk alone; or out for delivery.
type machine struct {
	partitions int // into which all keys are divided
	owned      map[int]*owned
	lanes      map[record.LaneID]*lane
	waiting    lanes                          // place inHeap
	ready      *fair.Queue[job.Target, *lane] // place inLine
	throttled  map[job.Target][]*lane         // place throttled
	gone       []record.LaneID                // refused, and not parked any more: nobody waits for room for them
	dry        []*lane                        // to be refilled before they go on
	entries    int                            // in all windows
	out        map[job.Key]*delivery
	inFlight   *fair.Pool[job.Target] // triggers from when they are picked until their outcome is committed
	leastFree  int                    // how little of inFlight was free since all throttled targets were looked at
	last       uint64                 // number of the last delivery
	rates      *fair.Rates[string]    // triggers a second of namespaces, shared with other machines; nil is no bound
	delayed    int                    // triggers that have waited for rates, until the loop counts them
	picked     time.Time              // when pick was called last
	batch      store.Batch
	ended      []*delivery // since the last commit
	overtaken  []*delivery // replaced since then
}

// A stored is what a store holds about a job, and about its entries in the due index.
type stored struct {
	record.Record

	obsolete bool           // the entry that is due is not the job's, whose own is in the index as well
	strays   []record.Entry // of the due index, if the job is broken and a command is about it
}

// A delivery is a trigger that is out. It keeps what its outcome is to be recorded by, and no payload.
type delivery struct {
	number   uint64
	entry    attempt   // in the due index
	due      time.Time // of the occurrence: before entry.due, if this is a retry
	left     time.Time // when it was handed to a receiver; zero if it was not
	plan     when.Plan
	policy   job.Policy
	state    record.State
	moved    bool     // the store holds the state
	replaced bool     // its job was rescheduled or removed since: the outcome does not matter any more
	next     *attempt // what fires when this has ended, if the job fell due while this was out

	outcome job.Outcome // how it has ended; 0 if it has not
	follows following   // what follows then
}

// A following is what follows a delivery that has ended.
type following struct {
	due   time.Time // of the job's next attempt; zero if there is none
	retry bool      // which is one at the same occurrence
}

// newMachine returns a machine without partitions, which has up to that many triggers in flight.
func newMachine(partitions, maxInFlight int) *machine {
	return &machine{
		partitions: partitions, owned: map[int]*owned{}, lanes: map[record.LaneID]*lane{}, out: map[job.Key]*delivery{},
		ready: fair.NewQueue[job.Target, *lane](quantum), throttled: map[job.Target][]*lane{},
		inFlight: fair.NewPool[job.Target](maxInFlight, guaranteed),
	}
}

// entry is the place of k in the due index when it is owed at due.
func (m *machine) entry(k job.Key, due time.Time) record.Entry {
	return record.Entry{Due: due, Key: k, Partition: record.PartitionOf(k, m.partitions)}
}

// forget drops all that was learned from the store. What is out stays out, so that no job is delivered twice at a
// time, but its outcomes will not be believed: nobody knows which record they belong to. It returns how many are believed no
// more.
func (m *machine) forget() (again int) {
	m.dropLanes()
	clear(m.owned)
	m.batch.Reset()
	m.inFlight = fair.NewPool[job.Target](m.inFlight.Limit(), guaranteed)
	for _, d := range m.out {
		if !d.replaced {
			again++
		}
		d.replaced, d.next = true, nil
		m.inFlight.Take(d.entry.Key.Target, 1)
	}
	m.ended, m.overtaken = nil, nil
	return again
}

// learn adds entries of one lane, read from the front of its index; more says whether others follow them.
func (m *machine) learn(read []record.Entry, more bool) {
	l := m.lane(read[0].Lane())
	l.refill(read, more)
	m.place(l)
}

// schedule stores spec, which is encoded as given, in place of what old holds.
func (m *machine) schedule(k job.Key, spec *job.Spec, encoded []byte, overwrite bool, old stored) error {
	if !overwrite && old.Spec != nil {
		return fmt.Errorf("%w: '%s'", job.ErrExists, k)
	}
	if !overwrite && old.Err != nil {
		return old.Err
	}
	first, ok := spec.Plan.Next(0, time.Time{})
	if !ok { // it has expired before its first occurrence
		m.remove(k, old)
		return nil
	}
	e := m.entry(k, first)
	m.touch(e.Partition)
	m.batch.Put(record.JobKey(k), encoded)
	if old.HasState || old.Err != nil {
		m.batch.Delete(record.StateKey(k))
	}
	m.clear(old.strays, e)
	next := attempt{Entry: e}.delayedBy(stall{e.Due, m.picked}) // of what was due before it was scheduled, only the rest is lateness
	if old.Spec == nil {
		m.replace(k, record.Entry{})
		m.batch.Put(record.DueKey(e), nil)
		m.insert(next)
		return nil
	}
	before := e.At(old.Due())
	m.replace(k, before)
	m.move(before, next)
	return nil
}

// remove deletes the job that old holds, if any.
func (m *machine) remove(k job.Key, old stored) {
	if old.Err != nil {
		m.replace(k, record.Entry{})
		m.touch(record.PartitionOf(k, m.partitions))
		m.clear(old.strays, record.Entry{})
		m.batch.Delete(record.JobKey(k))
		m.batch.Delete(record.StateKey(k))
		return
	}
	if old.Spec == nil {
		return
	}
	e := m.entry(k, old.Due())
	m.replace(k, e)
	m.drop(e, old.HasState)
}

// clear removes entries of the index whose job could not be read, but for the one that is written.
func (m *machine) clear(strays []record.Entry, written record.Entry) {
	for _, e := range strays {
		m.take(e)
		if e.Compare(written) != 0 {
			m.batch.Delete(record.DueKey(e))
		}
	}
}

// replace makes sure that a delivery of what was k's job until now, at e in the index, changes nothing any more.
func (m *machine) replace(k job.Key, e record.Entry) {
	if d := m.out[k]; d != nil {
		if !d.replaced {
			m.overtaken = append(m.overtaken, d)
		}
		d.replaced = true
		if d.next != nil && d.next.Compare(e) == 0 {
			d.next = nil
		}
	}
}

// pick takes up to most entries that are due out of the windows: of each target in turn, and of its lanes in turn, those
// that it may have in flight. Each is to be given to fire with its record, or to unpick.
func (m *machine) pick(now time.Time, most int) []attempt {
	if now.Before(m.picked) {
		m.unpace()
	}
	m.picked = now
	for len(m.waiting) > 0 && !m.waiting[0].next.After(now) {
		l := heap.Pop(&m.waiting).(*lane)
		l.place = inLine
		m.ready.Push(l.id.Target, l)
	}
	var picked []attempt
	for len(picked) < most {
		target, ok := m.ready.Next()
		if !ok {
			break
		}
		room := m.inFlight.Room(target)
		if room == 0 {
			m.throttle(target)
			continue
		}
		_, l := m.ready.Pop()
		paid := m.pay(now, l, min(quantum, most-len(picked), room))
		if paid == 0 {
			m.ready.Charge(target, 1)
			l.place = nowhere
			m.place(l)
			continue
		}
		before := len(picked)
		taken := l.take(now, min(paid, l.allowance()))
		for _, e := range taken {
			e = e.withStall(l.stalled)
			if d := m.out[e.Key]; d != nil {
				if d.replaced { // otherwise it is e that is out, and was learned afresh
					d.next = &e
				}
				continue
			}
			picked = append(picked, e)
		}
		fired := len(picked) - before
		m.inFlight.Take(target, fired)
		m.paid(now, l, len(taken), fired)
		m.ready.Charge(target, max(1, fired))
		if len(l.window) > 0 && !l.window[0].Due.After(now) {
			m.ready.Push(target, l)
			m.tally(l)
			m.thirst(l)
		} else {
			l.place = nowhere
			m.place(l)
		}
	}
	return picked
}

// unpick says that e, which was picked, is in flight no longer. It does not put e into its window.
func (m *machine) unpick(e attempt) {
	m.inFlight.Give(e.Key.Target, 1)
	m.resumeTarget(e.Key.Target)
}

// fire makes a delivery of e, whose record is r. It returns nil if e is owed no longer.
func (m *machine) fire(e attempt, r stored) *delivery {
	if r.Spec == nil || !r.Due().Equal(e.Due) {
		// It cannot happen that nothing in the store stands behind an entry of the index. If it does, the entry is all that is
		// left of a job, and stays; unless the job has another one.
		m.unpick(e)
		m.unpay(e)
		if r.obsolete {
			m.touch(e.Partition)
			m.batch.Delete(record.DueKey(e.Entry))
		}
		return nil
	}
	m.last++
	d := &delivery{
		number: m.last, entry: e, due: r.Occurrence(),
		plan: r.Spec.Plan, policy: r.Spec.Policy, state: r.State, moved: r.HasState,
	}
	m.out[e.Key] = d
	return d
}

// refuse takes back a delivery that no receiver has room for, now. Its lane waits until room is called.
func (m *machine) refuse(now time.Time, d *delivery) {
	m.takeBack(d)
	l := m.lanes[d.entry.Lane()]
	if l == nil { // its job, or its partition, has gone meanwhile
		m.gone = append(m.gone, d.entry.Lane())
		return
	}
	if l.place == throttled {
		m.unthrottle(l)
	}
	m.leave(l)
	l.place, l.parked = parked, now
	m.shrink(l)
}

// takeBack takes back a delivery that has not left.
func (m *machine) takeBack(d *delivery) {
	m.end(d)
	m.unpick(d.entry)
	m.unpay(d.entry)
}

// room says that there is, now, room for about n triggers of the lane again.
func (m *machine) room(now time.Time, id record.LaneID, n int) {
	if l := m.lanes[id]; l != nil && l.place == parked {
		l.place, l.credit = nowhere, n
		l.stall(l.parked, now)
		m.place(l)
	}
}

// settle records how d has ended at that instant, if it is out. When nobody knows what came of it, the same attempt is made
// again.
func (m *machine) settle(d *delivery, o job.Outcome, ended time.Time) {
	if m.out[d.entry.Key] != d {
		return
	}
	m.ended = append(m.ended, d)
	d.outcome, d.follows = o, following{}
	if d.replaced {
		m.end(d)
		return
	}
	delete(m.out, d.entry.Key)
	if o == job.Lost {
		d.follows = following{d.entry.Due, true}
		m.insert(d.again(d.entry, ended))
		return
	}
	next, ok := d.after(o)
	if !ok {
		m.drop(d.entry.Entry, d.moved)
		return
	}
	d.follows = following{next.Due, next.Attempts > 0}
	e := d.entry.at(next.Due)
	if d.follows.retry {
		e = d.again(e, ended)
	} else {
		e = d.behind(e, ended)
	}
	m.advance(d.entry.Entry, e, next)
}

// after returns how far d's job has got when its delivery has ended so, and whether it is due again.
func (d *delivery) after(o job.Outcome) (s record.State, more bool) {
	s = d.state
	if o == job.Failed {
		if s.Attempts < math.MaxUint32 {
			s.Attempts++
		}
		if s.Due, more = d.policy.Retry(d.entry.Due, s.Attempts); more {
			s.Occurrence = d.due
			return s, true
		}
	}
	if s.Settled < math.MaxUint32 {
		s.Settled++
	}
	s.Last, s.Attempts = d.due, 0
	s.Due, more = d.plan.Next(s.Settled, s.Last)
	return s, more
}

// end forgets a delivery that says nothing about its job: whatever the job waits for is waited for again.
func (m *machine) end(d *delivery) {
	delete(m.out, d.entry.Key)
	switch {
	case !d.replaced:
		m.insert(d.entry)
	case d.next != nil:
		m.insert(*d.next)
	}
}

// advance records how far the job has got that was at an entry of the index, and moves it to another.
func (m *machine) advance(from record.Entry, to attempt, s record.State) {
	m.touch(from.Partition)
	m.batch.Put(record.StateKey(from.Key), record.EncodeState(s))
	m.move(from, to)
}

// drop removes a job from the store, and from its lane.
func (m *machine) drop(e record.Entry, moved bool) {
	m.touch(e.Partition)
	m.batch.Delete(record.JobKey(e.Key))
	if moved {
		m.batch.Delete(record.StateKey(e.Key))
	}
	m.batch.Delete(record.DueKey(e))
	m.take(e)
}

// move changes where a job stands in the due index.
func (m *machine) move(from record.Entry, to attempt) {
	if !from.Due.Equal(to.Due) {
		m.batch.Delete(record.DueKey(from))
		m.batch.Put(record.DueKey(to.Entry), nil)
		m.take(from)
	}
	m.insert(to)
}

// next returns when there is something to do; ok is false if there is nothing to wait for. The zero time is now.
func (m *machine) next() (at time.Time, ok bool) {
	if len(m.dry) > 0 {
		return time.Time{}, true
	}
	return m.nextDue()
}

// nextDue is next, but for windows that are to be refilled.
func (m *machine) nextDue() (at time.Time, ok bool) {
	switch {
	case m.ready.Len() > 0:
		return time.Time{}, true
	case len(m.waiting) > 0:
		return m.waiting[0].next, true
	default:
		return time.Time{}, false
	}
}
