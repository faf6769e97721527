package limits

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// When memory is short, messages are refused that are still on their way slowAfter later. It is looked for them once in
// scanEvery at most, so that a message that comes while there is room need not ask for the time.
const (
	slowAfter = 5 * time.Second
	scanEvery = 100 * time.Millisecond
)

// onWay is the messages that are being received. There are several lists of them, so that calls seldom want the same one.
type onWay struct {
	lists   [16]onWayList
	scanned atomic.Pointer[time.Time] // when; nil before the first time
}

type onWayList struct {
	mu    sync.Mutex // guards the fields below, and the place of each message in the list
	first *message
	_     [48]byte // so that no two lists share a cache line
}

// A place is that of a message among those on their way.
type place struct {
	list       *onWayList
	prev, next *message
	seen       time.Time // first, when memory was short
	refused    bool
}

func (o *onWay) enter(m *message) {
	l := &o.lists[rand.Uint32()%uint32(len(o.lists))]
	m.place = place{list: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.place.next = l.first; l.first != nil {
		l.first.place.prev = m
	}
	l.first = m
}

// leave reports whether m was refused because it is slow.
func (o *onWay) leave(m *message) bool {
	p := &m.place
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	if p.prev == nil {
		p.list.first = p.next
	} else {
		p.prev.place.next = p.next
	}
	if p.next != nil {
		p.next.place.prev = p.prev
	}
	p.prev, p.next = nil, nil
	return p.refused
}

// refuseSlow ends the calls of messages that are slow as of now, and reports whether there were any. What they have of
// the budget is free a moment later.
func (o *onWay) refuseSlow(now time.Time) (found bool) {
	last := o.scanned.Load()
	if last != nil && now.Sub(*last) < scanEvery || !o.scanned.CompareAndSwap(last, &now) {
		return false
	}
	for i := range o.lists {
		l := &o.lists[i]
		l.mu.Lock()
		for m := l.first; m != nil; m = m.place.next {
			if m.place.seen.IsZero() {
				m.place.seen = now
			}
			if now.Sub(m.place.seen) > slowAfter && !m.place.refused {
				m.place.refused, found = true, true
				// The call ends itself as well, a moment later, which then changes nothing.
				_ = m.from.WriteStatus(status.Convert(refusedSlow(m.length)))
			}
		}
		l.mu.Unlock()
	}
	return found
}

func refusedSlow(length int) error {
	return status.Errorf(codes.ResourceExhausted,
		"receive a message of %d bytes: the client has taken longer than %v to send it while the memory for requests was in use: try again later",
		length, slowAfter)
}
