// Package diskspace says whether a disk has so little left that nothing new should be stored.
package diskspace

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"carillon/internal/job"
)

// maxReserve is how many bytes of a large disk are kept.
const maxReserve = 128 << 20

// Reserve returns how many bytes of a disk of that size are kept for what must go on when it is nearly full: outcomes and
// deletions, and the files that a store writes before it can remove others. It is 128 MiB, but never more than half of the
// disk: then all that is stored can be written once more. A size of zero is not known.
func Reserve(total uint64) uint64 {
	if total == 0 {
		return maxReserve
	}
	return min(maxReserve, total/2)
}

// again is how many bytes have to be free before new things are stored again.
func resumeAt(reserve uint64) uint64 { return reserve + reserve/4 }

// A Usage is how many bytes of a disk are left for us, and how many it has. A Total of zero is not known.
type Usage struct {
	Free, Total uint64
}

// A Watch watches how much a disk has left. It asks a hundred times a second at most, since a small disk fills up in less than
// one, and only when it is asked. It is safe for concurrent use.
type Watch struct {
	usage func() (Usage, error)
	log   *slog.Logger
	began time.Time

	next atomic.Int64                  // when to ask again, in nanoseconds since it began by the monotonic clock
	full atomic.Pointer[job.FullError] // nil as long as there is room
}

const checkInterval = 10 * time.Millisecond

// New returns a watch over the disk of which usage says how much is left. A disk that cannot say it is never full.
func New(usage func() (Usage, error), log *slog.Logger) *Watch {
	return &Watch{usage: usage, log: log, began: time.Now()}
}

// Full returns a [*job.FullError] with the figures if the disk has less left than its [Reserve], and until a quarter more
// than that is free; otherwise nil.
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
		w.log.Info("the disk has room again: new jobs are accepted", figures...)
		return
	case !was:
		return
	}
	w.full.Store(&job.FullError{Reason: fmt.Sprintf("the scheduler's disk has %s left of %s; new jobs are refused below %s, and accepted again from %s on: make room there",
		mib(u.Free), mib(u.Total), mib(reserve), mib(resumeAt(reserve)))})
}

func mib(bytes uint64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
