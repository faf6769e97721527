package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestStuckLoopLimitsInspections(t *testing.T) {
	s := newScript(t, 1)
	for range 100 * maxInspections { // nobody gives the loop a turn
		s.inbox.inspect(func(time.Time) {})
	}
	if got := len(s.inbox.inspections); got > maxInspections {
		t.Errorf("%d inspections wait, want %d at most", got, maxInspections)
	}
}

func TestCollectorSkipsStuckLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newScript(t, 1), newScript(t, 1)
		to := make(chan prometheus.Metric, 100)
		began := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			collector{[]*loop{a.loop, b.loop}}.Collect(to)
		}()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("a collection from two loops that have no turn does not end")
		}
		if took := time.Since(began); took > collectTimeout {
			t.Errorf("a collection from two loops that have no turn took %v, want %v at most", took, collectTimeout)
		}
	})
}

func TestAbandonedCommandsReleaseSlots(t *testing.T) {
	i := newInbox(4, 1<<20)
	i.setLoading(0)
	i.setOwned(0)
	for round := range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		for n := range 4 {
			if err := i.post(ctx, &command{key: appKey("app", n)}); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		if w := i.take(100, 1<<20); len(w.commands) > 0 {
			t.Errorf("%d commands are carried out whose callers have gone", len(w.commands))
		}
		if !i.slots.TryAcquire(4) {
			t.Fatalf("after %d rounds an inbox has no room, and is empty", round+1)
		}
		i.slots.Release(4)
	}
}

func TestCollectorOfRunningLoopsIsQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		e := New(Config{Metrics: reg, Loops: 2}, openStore(t), nil, logTo(t))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		synctest.Wait()
		began := time.Now()
		if _, err := reg.Gather(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("a collection from loops that have nothing to do took %v", took)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestLargeCommandTakesSeveralSlots(t *testing.T) {
	i := newInbox(4, 1<<20)
	for bytes, want := range map[int]int64{0: 1, 1<<18 - 1: 1, 1 << 18: 2, 1 << 19: 3, 1 << 30: 4} {
		if got := i.slotsOf(&command{bytes: bytes}); got != want {
			t.Errorf("of 4 commands with a MiB together, one of %d bytes takes the room of %d, want %d", bytes, got, want)
		}
	}
}
