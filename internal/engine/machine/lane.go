package machine

import (
	"slices"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/store"
)

// A window starts small and doubles each time its lane has fired it empty: an idle lane costs
// little, and a busy one reads the index in large steps. Sizes count entries.
const (
	tinyWindow = 2 // when all windows together are full
	minWindow  = 8
	maxWindow  = 256
)

// A Lane is the jobs of one target in one partition. Its window holds the next of them in due
// order. What follows the cursor is on disk only.
type Lane struct {
	id         record.LaneID
	window     []Attempt    // ascending
	size       int          // most entries in window
	counted    int          // how many of window count in Machine.windowEntries
	more       bool         // the index holds entries after cursor
	cursor     record.Entry // the last that was read, or left to the disk; meaningless unless more
	tombstones *tombstones  // the longest known stretch after the cursor; nil if none is known
	refilling  bool         // in Machine.refills, or being refilled
	state      laneState
	wake       time.Time   // what Machine.waiting orders by, in state laneWaiting
	index      int         // in Machine.waiting, in state laneWaiting
	reserved   int         // how many of the next triggers are taken from the quota already
	notBefore  time.Time   // when those may fire; zero if at once
	parkedAt   time.Time   // in state laneParked
	blocked    blockedTime // when it could last fire nothing, because of its receivers or of a quota
	credit     int         // how many triggers its receivers said they can take; 0 if not known
}

// A laneState says in which collection of the machine a lane is.
type laneState uint8

const (
	laneIdle      laneState = iota // in none: its window is empty, or the machine is about to queue it
	laneWaiting                    // in Machine.waiting: its first attempt is not due yet
	laneReady                      // in Machine.ready: its first attempt may be due
	laneThrottled                  // in Machine.throttled: its target has its share in flight
	laneParked                     // in none: its receivers took nothing more, until Unpark
)

// insert adds a to the window, unless it follows the cursor and will be read from the index.
func (l *Lane) insert(a Attempt) {
	if l.tombstones.contains(a.Entry) {
		l.tombstones.from = a.Entry
	}
	if l.more && a.Compare(l.cursor) > 0 {
		return
	}
	if i, found := l.find(a.Entry); !found {
		l.window = slices.Insert(l.window, i, a)
	}
	l.trim()
}

// find returns where e is in the window, or where it belongs.
func (l *Lane) find(e record.Entry) (i int, found bool) {
	return slices.BinarySearchFunc(l.window, e, func(a Attempt, e record.Entry) int { return a.Compare(e) })
}

// trim leaves to the disk what the window has no space for.
func (l *Lane) trim() {
	if len(l.window) > l.size {
		l.more, l.cursor = true, l.window[l.size-1].Entry
		clear(l.window[l.size:])
		l.window = l.window[:l.size]
	}
}

// remove removes e from the window, if it is there.
func (l *Lane) remove(e record.Entry) {
	if i, found := l.find(e); found {
		l.window = slices.Delete(l.window, i, i+1)
	}
}

// extend appends entries that were read after the cursor; more says that others follow them. It
// leaves those for which the window has no space.
func (l *Lane) extend(read []record.Entry, more bool) {
	if len(read) > l.size {
		read, more = read[:l.size], true
	}
	l.window = slices.Grow(l.window, len(read))
	for _, e := range read {
		l.window = append(l.window, Attempt{Entry: e})
	}
	l.more = more
	if more && len(read) > 0 {
		l.cursor = read[len(read)-1]
	}
	l.trim()
}

// needsRefill reports whether the window should be refilled before the lane goes on.
func (l *Lane) needsRefill() bool {
	return l.more && (len(l.window) == 0 || l.state == laneReady && len(l.window) <= l.size/2)
}

// takeCredit returns how many triggers may be taken at once. What receivers said they can take
// counts once.
func (l *Lane) takeCredit() int {
	if l.credit == 0 {
		return maxWindow
	}
	n := l.credit
	l.credit = 0
	return n
}

// take removes up to limit due attempts from the front of the window.
func (l *Lane) take(now time.Time, limit int) []Attempt {
	n := l.dueCount(now, limit)
	taken := slices.Clone(l.window[:n])
	l.window = slices.Delete(l.window, 0, n)
	return taken
}

// dueCount returns how many of the first attempts in the window are due, up to limit.
func (l *Lane) dueCount(now time.Time, limit int) (n int) {
	for n < len(l.window) && n < limit && !l.window[n].Due.After(now) {
		n++
	}
	return n
}

// wakeTime returns when the first attempt in the window may fire.
func (l *Lane) wakeTime() time.Time {
	if due := l.window[0].Due; !due.Before(l.notBefore) {
		return due
	}
	return l.notBefore
}

// block notes that the lane could fire nothing from one instant until another.
func (l *Lane) block(from, until time.Time) {
	if len(l.window) > 0 && l.window[0].Due.Before(l.blocked.until) { // the earlier time has delayed it too
		from = from.Add(-l.blocked.until.Sub(l.blocked.from))
	}
	l.blocked = blockedTime{from, until}
}

// returning returns a as it comes back into the lane. The lane may be blocked for longer now, so
// the delay that a left with is undone. The lane may be a new one, and takes over a's blocked time.
func (l *Lane) returning(a Attempt) Attempt {
	if a.delay == nil || a.delay.blocked == (blockedTime{}) {
		return a
	}
	if a.delay.blocked.until.After(l.blocked.until) {
		l.blocked = a.delay.blocked
	}
	a.delay = a.delay.before
	return a
}

// noteTombstones looks for a longer stretch in what was read after the cursor.
func (l *Lane) noteTombstones(read []record.Entry) {
	longest := time.Duration(0)
	if l.tombstones.endsAfter(l.cursor) {
		longest = l.tombstones.to.Due.Sub(l.tombstones.from.Due)
	} else {
		l.tombstones = nil
	}
	before := l.cursor
	for _, e := range read {
		if d := e.Due.Sub(before.Due); d > longest {
			l.tombstones, longest = &tombstones{before, e}, d
		}
		before = e
	}
}

// Unread returns the ranges of the due index after the cursor, without the tombstones.
func (l *Lane) Unread() []store.Range {
	rest := record.RangeAfter(l.cursor)
	if !l.tombstones.endsAfter(l.cursor) {
		return []store.Range{rest}
	}
	beyond := store.Range{From: record.DueKey(l.tombstones.to), To: rest.To}
	if l.tombstones.from.Compare(l.cursor) <= 0 {
		return []store.Range{beyond}
	}
	rest.To = record.RangeAfter(l.tombstones.from).From
	return []store.Range{rest, beyond}
}
