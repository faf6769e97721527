package engine

import (
	"container/heap"
	"fmt"
	"math"
	"time"

	"carillon/internal/job"
	"carillon/internal/store"
)

// quantum is how many triggers a lane fires before the next one has its turn.
const quantum = 16

// A machine decides for some partitions what is due and what follows. It does no I/O, reads no clock and starts no
// goroutine: it is told the time and given the records it needs, and leaves in batch what is to be committed before
// anybody hears of it.
//
// Each job that waits has one entry in the due index, and so is in one of three places: in the window of its lane;
// behind the cursor of its lane, on disk alone; or out for delivery.
type machine struct {
	partitions int // into which all keys are divided
	owned      map[int]*owned
	lanes      map[laneID]*lane
	waiting    lanes   // place inHeap
	ready      []*lane // place inLine, in the order of their turns
	dry        []*lane // to be refilled before they go on
	out        map[job.Key]*delivery
	last       uint64 // number of the last delivery
	batch      store.Batch
	ended      []*delivery // since the last commit
	overtaken  []*delivery // replaced since then
}

// A record is what a store holds about a job.
type record struct {
	spec   *job.Spec // nil if there is no such job
	state  State
	moved  bool  // the store holds a State
	broken error // the store holds what cannot be read; spec is nil
}

// due returns where the job stands in the due index.
func (r record) due() time.Time {
	if r.moved {
		return r.state.Due
	}
	return r.spec.Plan.First
}

// occurrence returns the due instant of the present occurrence, which attempts do not move.
func (r record) occurrence() time.Time {
	if r.state.Attempts > 0 {
		return r.state.Occurrence
	}
	return r.due()
}

// A delivery is a trigger that is out.
type delivery struct {
	number   uint64
	record   record
	entry    entry     // in the due index
	due      time.Time // of the occurrence: before entry.due, if this is a retry
	replaced bool      // its job was rescheduled or removed since: the outcome does not matter any more
	held     bool      // the job fell due while this was out; next fires when it has ended
	next     entry
}

func newMachine(partitions int) *machine {
	return &machine{
		partitions: partitions, owned: map[int]*owned{}, lanes: map[laneID]*lane{}, out: map[job.Key]*delivery{},
	}
}

// entry is the place of k in the due index when it is owed at due.
func (m *machine) entry(k job.Key, due time.Time) entry {
	return entry{due: due, key: k, partition: partitionOf(k, m.partitions)}
}

// forget drops all that was learned from the store. What is out stays out, so that no job is delivered twice at a
// time, but its outcomes will not be believed: nobody knows which record they belong to. It returns how many are believed no
// more.
func (m *machine) forget() (again int) {
	m.lanes, m.waiting, m.ready, m.dry = map[laneID]*lane{}, nil, nil, nil
	clear(m.owned)
	m.batch.Reset()
	m.decided()
	for _, d := range m.out {
		if !d.replaced {
			again++
		}
		d.replaced, d.held = true, false
	}
	return again
}

// learn adds entries of one lane, read from the front of its index; more says whether others follow them.
func (m *machine) learn(read []entry, more bool) {
	l := m.lane(read[0].lane())
	l.refill(read, more)
	m.place(l)
}

// schedule stores spec, which is encoded as given, in place of what old holds.
func (m *machine) schedule(k job.Key, spec *job.Spec, encoded []byte, overwrite bool, old record) error {
	if !overwrite && old.spec != nil {
		return fmt.Errorf("%w: '%s'", job.ErrExists, k)
	}
	if !overwrite && old.broken != nil {
		return old.broken
	}
	first, ok := spec.Plan.Next(0, time.Time{})
	if !ok { // it has expired before its first occurrence
		m.remove(k, old)
		return nil
	}
	e := m.entry(k, first)
	m.touch(e.partition)
	m.batch.Put(jobKey(k), encoded)
	if old.moved || old.broken != nil {
		m.batch.Delete(stateKey(k))
	}
	if old.spec == nil {
		m.replace(k, entry{})
		m.batch.Put(dueKey(e), nil)
		m.insert(e)
		return nil
	}
	before := e.at(old.due())
	m.replace(k, before)
	m.move(before, e)
	return nil
}

// remove deletes the job that old holds, if any.
func (m *machine) remove(k job.Key, old record) {
	if old.broken != nil { // fire clears away its entry of the index, when it comes up
		m.replace(k, entry{})
		m.touch(partitionOf(k, m.partitions))
		m.batch.Delete(jobKey(k))
		m.batch.Delete(stateKey(k))
		return
	}
	if old.spec == nil {
		return
	}
	e := m.entry(k, old.due())
	m.replace(k, e)
	m.drop(e, old.moved)
}

// replace makes sure that a delivery of what was k's job until now, at e in the index, changes nothing any more.
func (m *machine) replace(k job.Key, e entry) {
	if d := m.out[k]; d != nil {
		if !d.replaced {
			m.overtaken = append(m.overtaken, d)
		}
		d.replaced = true
		if d.held && d.next.compare(e) == 0 {
			d.held = false
		}
	}
}

// pick takes up to most entries that are due out of the windows, lane by lane in turn. Each is to be given to fire with
// its record.
func (m *machine) pick(now time.Time, most int) []entry {
	for len(m.waiting) > 0 && !m.waiting[0].next.After(now) {
		l := heap.Pop(&m.waiting).(*lane)
		l.place = inLine
		m.ready = append(m.ready, l)
	}
	line := m.ready
	m.ready = nil
	var picked []entry
	var again []*lane
	for len(line) > 0 && len(picked) < most {
		l := line[0]
		line = line[1:]
		n := min(quantum, most-len(picked))
		if l.credit > 0 {
			n = min(n, l.credit)
			l.credit = 0
		}
		for _, e := range l.take(now, n) {
			if d := m.out[e.key]; d != nil {
				if d.replaced { // otherwise it is e that is out, and was learned afresh
					d.held, d.next = true, e
				}
				continue
			}
			picked = append(picked, e)
		}
		if len(l.window) > 0 && !l.window[0].due.After(now) {
			again = append(again, l)
			m.thirst(l)
		} else {
			l.place = nowhere
			m.place(l)
		}
	}
	m.ready = append(line, again...)
	return picked
}

// fire makes a delivery of e, whose record is r. It returns nil if e is owed no longer.
func (m *machine) fire(e entry, r record) *delivery {
	if r.spec == nil || !r.due().Equal(e.due) {
		// Nothing in the store stands behind this entry of the index. It cannot happen; if it does, it must not stay.
		m.touch(e.partition)
		m.batch.Delete(dueKey(e))
		return nil
	}
	m.last++
	d := &delivery{number: m.last, record: r, entry: e, due: r.occurrence()}
	m.out[e.key] = d
	return d
}

// refuse takes back a delivery that no receiver had room for. Its lane waits until room is called.
func (m *machine) refuse(d *delivery) {
	m.end(d)
	if l := m.lanes[d.entry.lane()]; l != nil && l.place != parked {
		m.leave(l)
		l.place = parked
	}
}

// room says that there is room for about n triggers of the lane again.
func (m *machine) room(id laneID, n int) {
	if l := m.lanes[id]; l != nil && l.place == parked {
		l.place, l.credit = nowhere, n
		m.place(l)
	}
}

// settle records how the delivery of k with this number ended, unless it is not the one that the job waits for. It
// reports whether the same attempt will be delivered again, because nobody knows what came of it.
func (m *machine) settle(k job.Key, number uint64, o job.Outcome) (again bool) {
	d := m.out[k]
	if d == nil || d.number != number {
		return false
	}
	m.ended = append(m.ended, d)
	if d.replaced || o == job.Lost {
		m.end(d)
		return !d.replaced // what is replaced was counted then, if it comes again
	}
	delete(m.out, k)
	if next, more := d.after(o); more {
		m.advance(d.entry, next)
	} else {
		m.drop(d.entry, d.record.moved)
	}
	return false
}

// after returns how far d's job has got when its delivery has ended so, and whether it is due again.
func (d *delivery) after(o job.Outcome) (s State, more bool) {
	s = d.record.state
	spec := d.record.spec
	if o == job.Failed {
		if s.Attempts < math.MaxUint32 {
			s.Attempts++
		}
		if s.Due, more = spec.Policy.Retry(d.entry.due, s.Attempts); more {
			s.Occurrence = d.due
			return s, true
		}
	}
	if s.Settled < math.MaxUint32 {
		s.Settled++
	}
	s.Last, s.Attempts = d.due, 0
	s.Due, more = spec.Plan.Next(s.Settled, s.Last)
	return s, more
}

// end forgets a delivery that says nothing about its job: whatever the job waits for is waited for again.
func (m *machine) end(d *delivery) {
	delete(m.out, d.entry.key)
	switch {
	case !d.replaced:
		m.insert(d.entry)
	case d.held:
		m.insert(d.next)
	}
}

// advance records how far the job at e in the index has got, and moves it there.
func (m *machine) advance(e entry, s State) {
	m.touch(e.partition)
	m.batch.Put(stateKey(e.key), encodeState(s))
	m.move(e, e.at(s.Due))
}

// drop removes a job from the store, and from its lane.
func (m *machine) drop(e entry, moved bool) {
	m.touch(e.partition)
	m.batch.Delete(jobKey(e.key))
	if moved {
		m.batch.Delete(stateKey(e.key))
	}
	m.batch.Delete(dueKey(e))
	m.take(e)
}

// move changes where a job stands in the due index.
func (m *machine) move(from, to entry) {
	if !from.due.Equal(to.due) {
		m.batch.Delete(dueKey(from))
		m.batch.Put(dueKey(to), nil)
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
	case len(m.ready) > 0:
		return time.Time{}, true
	case len(m.waiting) > 0:
		return m.waiting[0].next, true
	default:
		return time.Time{}, false
	}
}
