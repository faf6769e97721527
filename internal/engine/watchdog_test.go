package engine

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestLoopIsStuckAfterThreeSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := watchdog{start: time.Now()}
		if err := p.check(time.Now()); err == nil {
			t.Error("a loop that has not begun is well")
		}
		p.running.Store(true)
		p.beginTurn()
		time.Sleep(stuckAfter)
		if err := p.check(time.Now()); err != nil {
			t.Errorf("in a turn of %v: %v", stuckAfter, err)
		}
		time.Sleep(2 * time.Nanosecond)
		if err := p.check(time.Now()); err == nil {
			t.Errorf("in a turn of more than %v it is well", stuckAfter)
		}
		due := time.Now().Truncate(time.Millisecond)
		p.endTurn(due, due, true)
		if err := p.check(due.Add(stuckAfter)); err != nil {
			t.Errorf("late by %v: %v", stuckAfter, err)
		}
		if err := p.check(due.Add(stuckAfter + time.Millisecond)); err == nil {
			t.Errorf("late by more than %v it is well", stuckAfter)
		}
		p.endTurn(due, due.Add(-time.Hour), true) // it was late, and turns now
		if err := p.check(due.Add(stuckAfter)); err != nil {
			t.Errorf("right after a turn for what was late: %v", err)
		}
		p.endTurn(due, due, false)
		if err := p.check(due.Add(time.Hour)); err != nil {
			t.Errorf("with nothing to wait for: %v", err)
		}
	})
}

func TestOverloadWindow(t *testing.T) {
	for _, c := range []struct {
		left int // of ten turns of half a second, how many leave work
		want bool
	}{{0, false}, {5, false}, {6, true}, {10, true}} {
		var o overload
		at := time.Unix(0, 0)
		for range 2 { // the second window is as the first: nothing changes
			for turn := range 10 {
				changed := o.observe(at, at.Add(time.Second/2), turn < c.left)
				at = at.Add(time.Second / 2)
				if last := turn == 9; changed != (last && c.want && at.Equal(time.Unix(5, 0))) {
					t.Errorf("%d turns of ten left work, and turn %d at %v changes that: %v", c.left, turn, at, changed)
				}
			}
			if o.overloaded != c.want {
				t.Errorf("%d turns of ten left work, and the loop is overloaded: %v", c.left, o.overloaded)
			}
		}
		for turn := range 10 {
			if changed := o.observe(at, at.Add(time.Second/2), false); changed != (turn == 9 && c.want) {
				t.Errorf("after %d turns of ten had left work, idle turn %d changes that: %v", c.left, turn, changed)
			}
			at = at.Add(time.Second / 2)
		}
	}
}

// What is due long ago is due now, and what is due in thousands of years is not late.
func TestWatchdogHandlesEveryInstant(t *testing.T) {
	now := time.Now()
	for next, late := range map[time.Time]bool{
		{}: false, time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC): false, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC): false,
		time.Date(2262, 4, 12, 0, 0, 0, 0, time.UTC): false, now.Add(time.Minute): false, now.Add(-time.Minute): false, now.Add(time.Second): true,
	} {
		p := watchdog{start: now}
		p.running.Store(true)
		p.endTurn(now, next, true)
		if err := p.check(now); err != nil {
			t.Errorf("when a turn ends before one that is due at %v, the loop is unhealthy: %v", next, err)
		}
		if err := p.check(now.Add(stuckAfter + 2*time.Second)); (err != nil) != (late || next.Before(now)) {
			t.Errorf("five seconds later the loop whose turn is due at %v has the health %v", next, err)
		}
	}
}
