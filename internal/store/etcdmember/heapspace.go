package etcdmember

import (
	"fmt"
	"log/slog"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"carillon/internal/job"
)

// A heapSpace detects that the process has too little memory for more jobs. An etcd member keeps an
// index of all keys in memory, about 500 bytes for each job, and nothing in etcd limits it. It reads
// the size of the heap only when full is called, at most once in heapCheckInterval. It is safe for
// concurrent use.
type heapSpace struct {
	max   uint64               // bytes of live objects; 0: no limit
	live  func() uint64        // bytes of live objects at the end of the last garbage collection
	since func() time.Duration // monotonic
	log   *slog.Logger

	next   atomic.Int64 // when to check next, in nanoseconds of since
	reason atomic.Pointer[job.FullError]
}

const heapCheckInterval = 100 * time.Millisecond

func newHeapSpace(maxBytes int64, log *slog.Logger) *heapSpace {
	began := time.Now()
	return &heapSpace{
		max: uint64(max(maxBytes, 0)), live: liveHeap, since: func() time.Duration { return time.Since(began) }, log: log,
	}
}

// liveHeap returns how many bytes the last garbage collection has found to be in use.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}

// full returns a [*job.FullError] with the figures from when the heap has more than max bytes until
// it has an eighth less; otherwise nil.
func (h *heapSpace) full() error {
	if h.max == 0 {
		return nil
	}
	now, next := int64(h.since()), h.next.Load()
	if now >= next && h.next.CompareAndSwap(next, now+int64(heapCheckInterval)) {
		h.check()
	}
	if err := h.reason.Load(); err != nil {
		return err
	}
	return nil
}

func (h *heapSpace) check() {
	live, was := h.live(), h.reason.Load() != nil
	resume := h.max - h.max/8
	figures := []any{slog.Uint64("live_bytes", live), slog.Uint64("max_bytes", h.max)}
	switch {
	case !was && live > h.max:
		h.log.Warn("the memory for jobs is used up: new jobs are refused", figures...)
	case was && live <= resume:
		h.reason.Store(nil)
		h.log.Info("there is memory for jobs again: new jobs are accepted", figures...)
		return
	case !was:
		return
	}
	h.reason.Store(&job.FullError{Reason: fmt.Sprintf(
		"the scheduler has %d MiB of live objects in memory; new jobs are refused above %d MiB and accepted again from %d MiB, because etcd keeps an index of all jobs in memory: delete jobs, or raise the memory limit of each node",
		live>>20, h.max>>20, resume>>20)})
}
