package engine

import (
	"slices"
	"time"

	"carillon/internal/engine/record"
)

// An attempt is the next attempt at a job: its entry in the due index, and what has delayed it.
type attempt struct {
	record.Entry
	delay *delay // nil if nothing but the scheduler has kept it from leaving when it is due
}

// at is the attempt at the same job at another instant.
func (a attempt) at(due time.Time) attempt { return attempt{Entry: a.At(due)} }

// compare orders attempts of one lane by their entries.
func (a attempt) compare(b attempt) int { return a.Compare(b.Entry) }

// A window starts small and doubles each time its lane has fired it empty: an idle lane costs little, a busy one reads
// the index in large steps. Both count entries.
const (
	tinyWindow = 2 // where windows have as much as they may have together
	minWindow  = 8
	maxWindow  = 256
)

// A lane is one partition's jobs for one target. Its window holds the next of them in due order; what lies behind the
// cursor is on disk alone. A lane without entries is not kept.
type lane struct {
	id        record.LaneID
	window    []attempt    // ascending
	size      int          // most entries in window
	tallied   int          // how many of window count in machine.entries
	more      bool         // the index holds entries behind cursor
	cursor    record.Entry // the last that was read into the window, or pushed to its end; meaningless unless more
	gap       *gap         // the longest that was seen behind the cursor; nil if none was
	thirsty   bool         // in machine.dry, or being refilled
	place     place
	next      time.Time // what machine.waiting orders by, while place is inHeap
	index     int       // in machine.waiting, while place is inHeap
	prepaid   int       // how many of the next triggers its namespace's quota has paid for
	notBefore time.Time // when it may fire those, if that was not at once
	parked    time.Time // since when, while place is parked
	stalled   stall     // when it could last fire nothing, because of its receivers or its namespace's quota
	credit    int       // how many triggers its receivers had room for when they last said so; 0: not known
}

// A place is where a lane stands in the machine.
type place uint8

const (
	nowhere   place = iota // its window is empty, or has just been taken up
	inHeap                 // in machine.waiting: its first entry lies ahead
	inLine                 // in machine.ready: its first entry may be due
	throttled              // in machine.throttled: its target has as many in flight as its share allows
	parked                 // its receivers had no room; it moves when they say so
)

// insert adds e to the window, unless the cursor shows that it will be read from the index in its turn.
func (l *lane) insert(e attempt) {
	if l.gap.holds(e.Entry) {
		l.gap.from = e.Entry
	}
	if l.more && e.Compare(l.cursor) > 0 {
		return
	}
	if i, found := l.find(e.Entry); !found {
		l.window = slices.Insert(l.window, i, e)
	}
	l.trim()
}

// trim leaves to the disk what the window has no room for.
func (l *lane) trim() {
	if len(l.window) > l.size {
		l.more, l.cursor = true, l.window[l.size-1].Entry
		clear(l.window[l.size:])
		l.window = l.window[:l.size]
	}
}

// find returns where e is in the window, or belongs.
func (l *lane) find(e record.Entry) (i int, found bool) {
	return slices.BinarySearchFunc(l.window, e, func(a attempt, e record.Entry) int { return a.Compare(e) })
}

// remove takes e out of the window, if it is there.
func (l *lane) remove(e record.Entry) {
	if i, found := l.find(e); found {
		l.window = slices.Delete(l.window, i, i+1)
	}
}

// refill appends entries that were read from behind the cursor; more says whether others follow them. Those that the
// window has no room for are left.
func (l *lane) refill(read []record.Entry, more bool) {
	if len(read) > l.size {
		read, more = read[:l.size], true
	}
	l.window = slices.Grow(l.window, len(read))
	for _, e := range read {
		l.window = append(l.window, attempt{Entry: e})
	}
	l.more = more
	if more && len(read) > 0 {
		l.cursor = read[len(read)-1]
	}
	l.trim()
}

// dry says that the window should be refilled before the lane goes on.
func (l *lane) dry() bool {
	return l.more && (len(l.window) == 0 || l.place == inLine && len(l.window) <= l.size/2)
}

// allowance is how many triggers may be taken at once. What receivers have said about their room holds once.
func (l *lane) allowance() int {
	if l.credit == 0 {
		return maxWindow
	}
	n := l.credit
	l.credit = 0
	return n
}

// take removes up to most entries that are due from the front of the window.
func (l *lane) take(now time.Time, most int) []attempt {
	n := l.due(now, most)
	taken := slices.Clone(l.window[:n])
	l.window = slices.Delete(l.window, 0, n)
	return taken
}

// lanes is a heap of those that wait, ordered by what is due first. Its fields belong to the machine.
type lanes []*lane

func (h lanes) Len() int           { return len(h) }
func (h lanes) Less(i, j int) bool { return h[i].next.Before(h[j].next) }

func (h lanes) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *lanes) Push(x any) {
	l := x.(*lane)
	l.index = len(*h)
	*h = append(*h, l)
}

func (h *lanes) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return l
}
