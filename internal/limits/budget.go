package limits

import (
	"context"
	"sync"
	"sync/atomic"
)

// A Budget is a counting semaphore of bytes. A user acquires bytes before it allocates them, and
// releases them afterwards. It is safe for concurrent use. While bytes are free, an acquisition or
// a release is one atomic operation.
type Budget struct {
	max  int64
	used atomic.Int64

	waiting atomic.Int32 // callers of AcquireWithin that are blocked
	mu      sync.Mutex   // guards the field below
	freed   chan struct{}
}

// NewBudget returns a budget of that many bytes, all of which are free.
func NewBudget(bytes int64) *Budget { return &Budget{max: bytes, freed: make(chan struct{})} }

// Max returns how many bytes may be in use.
func (b *Budget) Max() int64 { return b.max }

// Large returns how many bytes may be in use when a large message is admitted. The rest is reserved
// for small ones.
func (b *Budget) Large() int64 { return b.max - b.max/4 }

// Used returns how many bytes are in use.
func (b *Budget) Used() int64 { return b.used.Load() }

// TryAcquire acquires n bytes and returns true if they are free.
func (b *Budget) TryAcquire(n int64) bool { return b.TryAcquireWithin(n, b.max) }

// TryAcquireWithin acquires n bytes and returns true if at most limit bytes are then in use.
func (b *Budget) TryAcquireWithin(n, limit int64) bool {
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

// AcquireWithin is TryAcquireWithin, but blocks until ctx ends. Blocked callers have no order: one
// that asks for less may be served first.
func (b *Budget) AcquireWithin(ctx context.Context, n, limit int64) bool {
	if b.TryAcquireWithin(n, limit) {
		return true
	}
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	for {
		b.mu.Lock()
		freed := b.freed
		b.mu.Unlock()
		if b.TryAcquireWithin(n, limit) { // a release from here on closes freed
			return true
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return false
		}
	}
}

// Release releases n bytes.
func (b *Budget) Release(n int64) {
	if b.used.Add(-n) < 0 {
		panic("limits: more bytes were released than were acquired")
	}
	if b.waiting.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.freed)
	b.freed = make(chan struct{})
}
