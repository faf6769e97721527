package dispatch_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/dispatch"
	"carillon/internal/job"
)

func TestTargetRefusedForBytesIsWokenOnRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dispatch.New(dispatch.Config{MaxPayload: 200_000})
		target := app("waits")
		s := d.Connect([]job.Target{target})
		defer s.Close()
		mustAccept(t, d, sized(target, 1000), ignore) // what it holds already makes that a large one is refused
		for round := range 2 {
			busy := d.Connect([]job.Target{app("busy")})
			for d.Deliver(sized(app("busy"), 20_000), ignore, ignoreWake) {
			}
			woken := make(chan int, 10)
			if d.Deliver(sized(target, 60_000), ignore, func(n int) { woken <- n }) {
				t.Fatal("a trigger is accepted for which there are no bytes")
			}
			time.Sleep(time.Minute)
			if len(woken) > 0 {
				t.Errorf("round %d: it was woken, and nothing has changed", round)
			}
			busy.Close()
			time.Sleep(time.Second)
			if len(woken) != 1 {
				t.Errorf("round %d: it was woken %d times when another's bytes were free, want once", round, len(woken))
			}
		}
	})
}

func TestAtMostFourTriggersExceedTheirShare(t *testing.T) {
	d := dispatch.New(dispatch.Config{MaxPayload: 100_000})
	for i := range 5 {
		target := app(fmt.Sprint("large", i))
		defer d.Connect([]job.Target{target}).Close()
		if got, want := d.Deliver(sized(target, 90_000), ignore, ignoreWake), i < 4; got != want {
			t.Errorf("large trigger %d is accepted: %v, want %v", i+1, got, want)
		}
		if d.Deliver(sized(target, 90_000), ignore, ignoreWake) {
			t.Errorf("a second large trigger of target %d is accepted together with its first", i+1)
		}
	}
}

func TestTriggerOfWholeShareDoesNotExceedIt(t *testing.T) {
	d := dispatch.New(dispatch.Config{MaxPayload: 100_000})
	// Half of what is free, or what is guaranteed.
	for i, bytes := range []int{50_000, 32 << 10, 32 << 10, 32 << 10, 90_000} {
		target := app(fmt.Sprint("app", i))
		defer d.Connect([]job.Target{target}).Close()
		if !d.Deliver(sized(target, bytes), ignore, ignoreWake) {
			t.Errorf("trigger %d of %d bytes is refused, want it accepted: none before it was beyond its share", i, bytes)
		}
	}
}
