package limits

import (
	"context"
	"sync"
	"sync/atomic"
)

// A Budget is a number of bytes that may be in use at once. A user takes bytes before it uses them, and gives them back
// afterwards. It is safe for concurrent use. While there is room, to take and to give back is an atomic operation each.
type Budget struct {
	max  int64
	used atomic.Int64

	waiting atomic.Int32 // callers of Wait
	mu      sync.Mutex   // guards the field below
	freed   chan struct{}
}

// NewBudget returns a budget of that many bytes, all of which are free.
func NewBudget(bytes int64) *Budget { return &Budget{max: bytes, freed: make(chan struct{})} }

// Max returns how many bytes may be in use.
func (b *Budget) Max() int64 { return b.max }

// Large returns how many bytes may be in use with a large message: the rest is for small ones.
func (b *Budget) Large() int64 { return b.max - b.max/4 }

// Used returns how many bytes are in use.
func (b *Budget) Used() int64 { return b.used.Load() }

// Take takes n bytes and returns true if they are free.
func (b *Budget) Take(n int64) bool { return b.TakeWithin(n, b.max) }

// TakeWithin takes n bytes and returns true if no more than limit are in use then.
func (b *Budget) TakeWithin(n, limit int64) bool {
	for {
		used := b.used.Load()
		if n > 0 && used+n > min(limit, b.max) {
			return false
		}
		if b.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

// WaitWithin is TakeWithin, but waits until ctx ends. Those who wait have no order: a caller that wants less may be
// served first.
func (b *Budget) WaitWithin(ctx context.Context, n, limit int64) bool {
	if b.TakeWithin(n, limit) {
		return true
	}
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	for {
		b.mu.Lock()
		freed := b.freed
		b.mu.Unlock()
		if b.TakeWithin(n, limit) { // bytes given back from here on close freed
			return true
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return false
		}
	}
}

// Give gives n bytes back.
func (b *Budget) Give(n int64) {
	if b.used.Add(-n) < 0 {
		panic("bound: more bytes were given back than were taken")
	}
	if b.waiting.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.freed)
	b.freed = make(chan struct{})
}
