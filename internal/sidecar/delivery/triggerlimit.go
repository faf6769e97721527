package delivery

import (
	"context"
	"sync"
)

const (
	// maxTriggers is the most triggers in flight over all streams.
	maxTriggers = 10_000
	// DefaultMaxTriggerBytes is the default of Config.MaxTriggerBytes in a sidecar.
	DefaultMaxTriggerBytes = 64 << 20
)

// A triggerLimit limits the triggers in flight, and the bytes of their data, over all streams. It
// is safe for concurrent use.
//
// One half of each limit is divided equally among the streams, and a stream always gets its share.
// The other half goes to the first that asks. A stream without a trigger in flight always gets one,
// which it has received by then.
type triggerLimit struct {
	max triggerAmount

	mu      sync.Mutex // guards the fields below, and streamUsage.used
	total   triggerAmount
	streams map[*streamUsage]struct{}
	waiting int           // streams
	freed   chan struct{} // closed, and replaced, when capacity is freed while a stream waits
}

// A triggerAmount is a number of triggers, and of bytes.
type triggerAmount [2]int64

func (u triggerAmount) plus(v triggerAmount) triggerAmount {
	return triggerAmount{u[0] + v[0], u[1] + v[1]}
}

func (u triggerAmount) minus(v triggerAmount) triggerAmount {
	return triggerAmount{u[0] - v[0], u[1] - v[1]}
}

// A streamUsage is what one stream uses of a limit.
type streamUsage struct {
	limit *triggerLimit
	used  triggerAmount
}

func newTriggerLimit(triggers, bytes int64) *triggerLimit {
	return &triggerLimit{
		max: triggerAmount{triggers, bytes}, streams: map[*streamUsage]struct{}{}, freed: make(chan struct{}),
	}
}

// join adds a stream. It must leave after it has released everything.
func (l *triggerLimit) join() *streamUsage {
	s := &streamUsage{limit: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.streams[s] = struct{}{}
	return s
}

// wake wakes the streams that wait. The lock must be held.
func (l *triggerLimit) wake() {
	if l.waiting == 0 {
		return
	}
	l.waiting = 0
	close(l.freed)
	l.freed = make(chan struct{})
}

func (s *streamUsage) leave() {
	l := s.limit
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.streams, s)
	l.wake()
}

// acquire waits until there is capacity for u.
func (s *streamUsage) acquire(ctx context.Context, u triggerAmount) error {
	for {
		s.limit.mu.Lock()
		fits, freed := s.fits(u), s.limit.freed
		if fits {
			s.used, s.limit.total = s.used.plus(u), s.limit.total.plus(u)
		} else {
			s.limit.waiting++
		}
		s.limit.mu.Unlock()
		if fits {
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fits reports whether there is capacity for u. The lock must be held.
func (s *streamUsage) fits(u triggerAmount) bool {
	l := s.limit
	for i := range u {
		share := l.max[i] / 2 / int64(len(l.streams))
		if u[i] == 0 || s.used[i] == 0 || s.used[i]+u[i] <= share {
			continue
		}
		left := l.max[i] - l.total[i] - u[i]
		for other := range l.streams {
			if other != s {
				left -= max(0, share-other.used[i])
			}
		}
		if left < 0 {
			return false
		}
	}
	return true
}

// release gives u back.
func (s *streamUsage) release(u triggerAmount) {
	l := s.limit
	l.mu.Lock()
	defer l.mu.Unlock()
	s.used, l.total = s.used.minus(u), l.total.minus(u)
	l.wake()
}
