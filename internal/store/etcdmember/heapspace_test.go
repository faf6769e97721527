package etcdmember

import (
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"carillon/internal/job"
)

func TestNewJobsAreRefusedWhileTheHeapIsFull(t *testing.T) {
	var log strings.Builder
	h := newHeapSpace(160<<20, slog.New(slog.NewTextHandler(&log, nil)))
	var live uint64
	var now time.Duration
	h.live, h.since = func() uint64 { return live }, func() time.Duration { return now }
	for _, step := range []struct {
		mib  uint64
		full bool
	}{{100, false}, {160, false}, {161, true}, {150, true}, {141, true}, {140, false}, {160, false}, {170, true}, {0, false}} {
		live, now = step.mib<<20, now+heapCheckInterval
		err := h.full()
		if (err != nil) != step.full || err != nil && !errors.Is(err, job.ErrFull) {
			t.Errorf("with %d MiB of live objects: %v, want full: %v", step.mib, err, step.full)
		}
		if step.full && !strings.Contains(err.Error(), "above 160 MiB and accepted again from 140 MiB") {
			t.Errorf("the error does not state the limits: %v", err)
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 2 {
		t.Errorf("it was full twice, and logged %d warnings:\n%s", n, log.String())
	}
}

func TestHeapIsReadAtIntervals(t *testing.T) {
	h := newHeapSpace(1, slog.New(slog.DiscardHandler))
	reads := 0
	h.live, h.since = func() uint64 { reads++; return 0 }, func() time.Duration { return time.Second }
	for range 1000 {
		if err := h.full(); err != nil {
			t.Fatal(err)
		}
	}
	if reads != 1 {
		t.Errorf("1000 calls within an interval read the heap %d times, want once", reads)
	}
}

func TestLiveHeapIsKnown(t *testing.T) {
	kept := make([]byte, 32<<20)
	before := liveHeap()
	runtime.GC()
	if after := liveHeap(); after < 32<<20 {
		t.Errorf("the live heap is %d bytes before and %d after a collection, want at least the %d that are kept", before, after, len(kept))
	}
	kept[0] = 1
}
