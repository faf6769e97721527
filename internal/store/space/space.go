// Package space says whether a disk has so little left that nothing new should be stored.
package space

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// reserve is how many bytes of the disk are kept for what must go on when it is nearly full: outcomes and deletions, and
// the files that a store writes before it can remove others.
const reserve = 128 << 20

// A Watch watches how much a disk has left. It asks once a second at most, and only when it is asked. It is safe for
// concurrent use.
type Watch struct {
	free  func() (bytes uint64, err error)
	log   *slog.Logger
	began time.Time

	next atomic.Int64 // when to ask again, in nanoseconds since it began by the monotonic clock
	full atomic.Bool
}

// New returns a watch over the disk of which free says how much is left. A disk that cannot say it is never full.
func New(free func() (bytes uint64, err error), log *slog.Logger) *Watch {
	return &Watch{free: free, log: log, began: time.Now()}
}

// Full reports whether the disk has so little left that nothing new should be stored: less than 128 MiB, and until a
// quarter more than that is free.
func (w *Watch) Full() bool {
	now, next := int64(time.Since(w.began)), w.next.Load()
	if now >= next && w.next.CompareAndSwap(next, now+int64(time.Second)) {
		w.look()
	}
	return w.full.Load()
}

func (w *Watch) look() {
	bytes, err := w.free()
	if err != nil {
		return
	}
	free := slog.Uint64("free_bytes", bytes)
	switch was := w.full.Load(); {
	case !was && bytes < reserve:
		w.full.Store(true)
		w.log.Warn("the disk is full: new jobs are refused", free)
	case was && bytes >= reserve+reserve/4:
		w.full.Store(false)
		w.log.Info("the disk has room again: new jobs are accepted", free)
	}
}
