package engine

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// stuckAfter is how long a loop may be in one turn, or sleep past its time, before it counts as
// stuck.
const stuckAfter = 3 * time.Second

// A watchdog shows whether a loop makes progress. The loop writes it, and any goroutine reads it.
type watchdog struct {
	start     time.Time    // of the monotonic time below
	running   atomic.Bool  // false before the first turn, after an error, and at the end
	turnStart atomic.Int64 // of the current turn, in nanoseconds since start; 0 between turns
	nextDue   atomic.Int64 // when the next job is due, in Unix milliseconds of the wall clock; 0 if none is
}

func (w *watchdog) beginTurn() { w.turnStart.Store(int64(time.Since(w.start)) + 1) }

// endTurn says that a turn has ended at now, and when the next job is due, which may be in the
// past. waits is false if the loop waits for no job.
func (w *watchdog) endTurn(now, next time.Time, waits bool) {
	at := int64(0)
	if waits {
		at = max(now.UnixMilli(), next.UnixMilli()) //nolint:forbidigo // they are due instants
	}
	w.nextDue.Store(at)
	w.turnStart.Store(0)
}

// check returns why the loop makes no progress at now, by the wall clock, or nil.
func (w *watchdog) check(now time.Time) error {
	if !w.running.Load() {
		return errors.New("are not loaded")
	}
	if since := w.turnStart.Load(); since != 0 {
		if d := time.Since(w.start) - time.Duration(since); d > stuckAfter {
			return fmt.Errorf("have been in one turn for %v", d.Round(time.Millisecond))
		}
		return nil
	}
	if next := w.nextDue.Load(); next != 0 {
		if late := now.Sub(time.UnixMilli(next)); late > stuckAfter { //nolint:forbidigo // lateness follows the wall clock
			return fmt.Errorf("should have fired %v ago", late.Round(time.Millisecond))
		}
	}
	return nil
}
