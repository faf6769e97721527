package limits

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// When memory is short, calls are ended whose message is still incomplete stallTimeout later. The
// lists are scanned at most once in scanInterval. Only a scan reads the clock, so that a message
// that arrives while memory is free costs no reading.
const (
	stallTimeout = 5 * time.Second
	scanInterval = 100 * time.Millisecond
)

// incoming is the set of messages that are being received. It is sharded into lists, so that calls
// seldom contend for the same lock.
type incoming struct {
	lists   [16]incomingList
	scanned atomic.Pointer[time.Time] // the last scan; nil before the first
}

// An incomingList is a doubly linked list of messages.
type incomingList struct {
	mu    sync.Mutex // guards the fields below, and the link of each message in the list
	first *incomingMessage
	_     [48]byte // so that no two lists share a cache line
}

// An incomingMessage is a message that is being received.
type incomingMessage struct {
	from   transportStream // nil if grpc-go does not expose it; then it is in no list
	length int             // in bytes
	link   link
}

// A link is the link of a message in its list.
type link struct {
	list       *incomingList
	prev, next *incomingMessage
	seen       time.Time // by the first scan that found the message
	canceled   bool      // by cancelStalled
}

func (in *incoming) add(m *incomingMessage) {
	l := &in.lists[rand.Uint32()%uint32(len(in.lists))]
	m.link = link{list: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.link.next = l.first; l.first != nil {
		l.first.link.prev = m
	}
	l.first = m
}

// remove removes m and reports whether cancelStalled has canceled it.
func (in *incoming) remove(m *incomingMessage) (canceled bool) {
	p := &m.link
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	if p.prev == nil {
		p.list.first = p.next
	} else {
		p.prev.link.next = p.next
	}
	if p.next != nil {
		p.next.link.prev = p.prev
	}
	p.prev, p.next = nil, nil
	return p.canceled
}

// cancelStalled ends the calls of messages that are stalled as of now, and reports whether it found
// any. Their bytes of the budget are released a moment later.
func (in *incoming) cancelStalled(now time.Time) (found bool) {
	last := in.scanned.Load()
	if last != nil && now.Sub(*last) < scanInterval || !in.scanned.CompareAndSwap(last, &now) {
		return false
	}
	for i := range in.lists {
		l := &in.lists[i]
		l.mu.Lock()
		for m := l.first; m != nil; m = m.link.next {
			if m.link.seen.IsZero() {
				m.link.seen = now
			}
			if now.Sub(m.link.seen) > stallTimeout && !m.link.canceled {
				m.link.canceled, found = true, true
				// The call ends itself as well, a moment later, which then changes nothing.
				_ = m.from.WriteStatus(status.Convert(stalled(m.length)))
			}
		}
		l.mu.Unlock()
	}
	return found
}

// stalled is the error of a call whose message is stalled.
func stalled(length int) error {
	return status.Errorf(codes.ResourceExhausted,
		"receive a message of %d bytes: the client has taken longer than %v to send it while the memory for requests was in use: try again later",
		length, stallTimeout)
}
