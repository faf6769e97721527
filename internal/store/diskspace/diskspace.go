// Package diskspace detects that a disk has too little free space for new jobs.
package diskspace

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"carillon/internal/job"
)

// maxReserve is the maximum reserve in bytes.
const maxReserve = 128 << 20

// Reserve returns how many bytes of a disk are reserved for what must work on a nearly full disk:
// outcomes and deletions, and files that a store writes before it can remove others. It is 128 MiB,
// but at most half of the disk: then the store can rewrite all of its data. A total of zero means
// an unknown size.
func Reserve(total uint64) uint64 {
	if total == 0 {
		return maxReserve
	}
	return min(maxReserve, total/2)
}

// resumeAt returns how many bytes must be free before new jobs are accepted again.
func resumeAt(reserve uint64) uint64 { return reserve + reserve/4 }

// Usage is how many bytes of a disk are free for this user, and its size. A Total of zero means
// unknown.
type Usage struct {
	Free, Total uint64
}

// A Watch watches the free space of a disk. It reads the usage only when Full is called, at most a
// hundred times a second: a small disk can fill up in less than a second. It is safe for concurrent
// use.
type Watch struct {
	usage func() (Usage, error)
	log   *slog.Logger
	began time.Time

	next atomic.Int64                  // time of the next check, in nanoseconds since began on the monotonic clock
	full atomic.Pointer[job.FullError] // nil while there is space
}

// checkInterval is the minimum time between two checks.
const checkInterval = 10 * time.Millisecond

// New returns a watch of the disk whose usage the function returns. A disk with an unknown usage is
// never full.
func New(usage func() (Usage, error), log *slog.Logger) *Watch {
	return &Watch{usage: usage, log: log, began: time.Now()}
}

// Full returns a [*job.FullError] with the figures if less than the [Reserve] of the disk is free,
// and until a quarter more than that is free; otherwise nil.
func (w *Watch) Full() error {
	now, next := int64(time.Since(w.began)), w.next.Load()
	if now >= next && w.next.CompareAndSwap(next, now+int64(checkInterval)) {
		w.check()
	}
	if err := w.full.Load(); err != nil {
		return err
	}
	return nil
}

func (w *Watch) check() {
	u, err := w.usage()
	if err != nil {
		return
	}
	reserve, was := Reserve(u.Total), w.full.Load() != nil
	figures := []any{slog.Uint64("free_bytes", u.Free), slog.Uint64("reserve_bytes", reserve), slog.Uint64("total_bytes", u.Total)}
	switch {
	case !was && u.Free < reserve:
		w.log.Warn("the disk is full: new jobs are refused", figures...)
	case was && u.Free >= resumeAt(reserve):
		w.full.Store(nil)
		w.log.Info("the disk has free space again: new jobs are accepted", figures...)
		return
	case !was:
		return
	}
	w.full.Store(&job.FullError{Reason: fmt.Sprintf("the scheduler's disk has %s of %s free; new jobs are refused below %s and accepted again from %s: free space on the disk",
		mib(u.Free), mib(u.Total), mib(reserve), mib(resumeAt(reserve)))})
}

func mib(bytes uint64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
