package sidecar

import (
	"context"
	"sync"
)

// triggers bounds how many triggers are in work, and how many bytes of data they have, over all streams. It is safe for
// concurrent use.
//
// Half of either bound is shared out among the streams, and a stream always gets its share. The other half is for those
// that come first. A stream without any trigger in work always gets one, which it has received by then.
type triggers struct {
	most amount

	mu      sync.Mutex // guards the fields below, and those of each share
	all     amount
	streams map[*share]struct{}
	waiting int           // streams
	freed   chan struct{} // closed, and replaced, when there is more room and a stream waits
}

// An amount is a number of triggers, and of bytes.
type amount [2]int64

func (a amount) plus(b amount) amount  { return amount{a[0] + b[0], a[1] + b[1]} }
func (a amount) minus(b amount) amount { return amount{a[0] - b[0], a[1] - b[1]} }

// A share is what one stream has in work.
type share struct {
	of   *triggers
	used amount
}

func newTriggers(number, bytes int64) *triggers {
	return &triggers{most: amount{number, bytes}, streams: map[*share]struct{}{}, freed: make(chan struct{})}
}

// join returns the share of one stream more; leave is to be called when it has nothing in work any more.
func (t *triggers) join() *share {
	s := &share{of: t}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.streams[s] = struct{}{}
	return s
}

func (s *share) leave() {
	t := s.of
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.streams, s)
	t.wake()
}

// wake tells those who wait to look again. The lock must be held.
func (t *triggers) wake() {
	if t.waiting == 0 {
		return
	}
	t.waiting = 0
	close(t.freed)
	t.freed = make(chan struct{})
}

// acquire waits until there is room for a.
func (s *share) acquire(ctx context.Context, a amount) error {
	for {
		s.of.mu.Lock()
		fits, freed := s.fits(a), s.of.freed
		if fits {
			s.used, s.of.all = s.used.plus(a), s.of.all.plus(a)
		} else {
			s.of.waiting++
		}
		s.of.mu.Unlock()
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

// fits reports whether there is room for a. The lock must be held.
func (s *share) fits(a amount) bool {
	t := s.of
	for i := range a {
		own := t.most[i] / 2 / int64(len(t.streams))
		if a[i] == 0 || s.used[i] == 0 || s.used[i]+a[i] <= own {
			continue
		}
		left := t.most[i] - t.all[i] - a[i]
		for other := range t.streams {
			if other != s {
				left -= max(0, own-other.used[i])
			}
		}
		if left < 0 {
			return false
		}
	}
	return true
}

// release gives a back.
func (s *share) release(a amount) {
	t := s.of
	t.mu.Lock()
	defer t.mu.Unlock()
	s.used, t.all = s.used.minus(a), t.all.minus(a)
	t.wake()
}
