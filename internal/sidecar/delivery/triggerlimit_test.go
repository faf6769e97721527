package delivery

import (
	"context"
	"testing"
	"testing/synctest"
)

// flood acquires triggers of that size until the stream must wait, and returns their number.
func flood(t *testing.T, s *streamUsage, bytes int64) (n int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s.acquire(ctx, triggerAmount{1, bytes}) == nil {
			n++
		}
	}()
	synctest.Wait()
	cancel()
	<-done
	return n
}

func TestFloodingStreamLeavesShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTriggerLimit(1000, 64<<20)
		streams := []*streamUsage{all.join(), all.join(), all.join(), all.join()}
		for i, want := range []int64{40, 8, 8, 8} { // MiB: half is for the first, and an eighth for each
			if n := flood(t, streams[i], 1<<20); n != want {
				t.Errorf("stream %d has %d MiB in flight, want %d", i, n, want)
			}
		}
		if all.total != (triggerAmount{64, 64 << 20}) {
			t.Errorf("%v are in flight, want the bound", all.total)
		}
	})
}

func TestTriggerCountIsLimitedOverStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTriggerLimit(1000, 64<<20)
		a, b := all.join(), all.join()
		if n, m := flood(t, a, 10), flood(t, b, 10); n != 750 || m != 250 {
			t.Errorf("%d and %d triggers are in flight, want 750 and 250", n, m)
		}
	})
}

func TestIdleStreamAlwaysGetsOneTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTriggerLimit(1000, 1<<20)
		busy, idle := all.join(), all.join()
		flood(t, busy, 1<<10)
		if n := flood(t, idle, 2<<20); n != 1 {
			t.Errorf("an idle stream gets %d triggers that are larger than the bound, want 1", n)
		}
		if n := flood(t, busy, 1<<10); n != 0 {
			t.Errorf("the other gets %d beside it, want none", n)
		}
		idle.release(triggerAmount{1, 2 << 20})
		idle.leave()
		waits := make(chan error)
		go func() { waits <- busy.acquire(t.Context(), triggerAmount{1, 1 << 10}) }()
		if err := <-waits; err != nil {
			t.Errorf("when it has left: %v", err)
		}
	})
}
