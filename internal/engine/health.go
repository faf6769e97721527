package engine

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// stuckAfter is how long a loop may be in one turn, or sleep past its time, before it is said to be stuck.
const stuckAfter = 3 * time.Second

// A pulse shows from outside whether a loop turns. The loop writes it, anyone reads it.
type pulse struct {
	start time.Time    // of the count below
	turns atomic.Bool  // false before the first turn, after an error, and in the end
	since atomic.Int64 // when the present turn began, in nanoseconds from start; 0 between turns
	next  atomic.Int64 // when what is waited for is due, in Unix milliseconds of the clock on the wall; 0 if nothing is
}

func (p *pulse) begin() { p.since.Store(int64(time.Since(p.start)) + 1) }

// end says that a turn has ended at now, and when the next is due, which may be in the past; waits is false if the loop
// sleeps for nothing that is due.
func (p *pulse) end(now, next time.Time, waits bool) {
	at := int64(0)
	if waits {
		at = max(now.UnixMilli(), next.UnixMilli()) //nolint:forbidigo // they are due instants
	}
	p.next.Store(at)
	p.since.Store(0)
}

// check returns what is wrong when the clock on the wall shows now, or nil.
func (p *pulse) check(now time.Time) error {
	if !p.turns.Load() {
		return errors.New("are not loaded")
	}
	if since := p.since.Load(); since != 0 {
		if d := time.Since(p.start) - time.Duration(since); d > stuckAfter {
			return fmt.Errorf("have been in one turn for %v", d.Round(time.Millisecond))
		}
		return nil
	}
	if next := p.next.Load(); next != 0 {
		if late := now.Sub(time.UnixMilli(next)); late > stuckAfter { //nolint:forbidigo // lateness goes by the clock on the wall
			return fmt.Errorf("should have fired %v ago", late.Round(time.Millisecond))
		}
	}
	return nil
}

// Health returns nil if jobs can be scheduled and fired, in every partition that the engine is to have. Otherwise the error names partitions
// that do not turn, within five seconds of when they stopped, and says if there is no room for new jobs.
func (e *Engine) Health() error {
	var named error
	if err := e.full(); err != nil {
		named = fmt.Errorf("new jobs are refused: %w", err)
	}
	for _, lp := range e.loops {
		if err := lp.pulse.check(lp.wall()); err != nil {
			named = errors.Join(named, fmt.Errorf("partitions %s %w", lp, err))
		} else if missing := lp.inbox.missing(lp.partitions, stuckAfter); len(missing) > 0 {
			named = errors.Join(named, fmt.Errorf("partitions %s are not loaded", spans(missing)))
		}
	}
	return named
}

// Note says in a line what of the store is in quarantine, or "". It is no reason to be unhealthy: no restart mends it.
func (e *Engine) Note() string { return e.aside.note() }

// Holds reports whether the engine has the partition: its jobs can be scheduled and fire.
func (e *Engine) Holds(partition int) bool { return e.owner[partition].inbox.holds(partition) }

// spans names partitions, which are in order, such as 3, 16-31.
func spans(partitions []int) string {
	var all []string
	for i := 0; i < len(partitions); {
		first, last := i, i
		for last+1 < len(partitions) && partitions[last+1] == partitions[last]+1 {
			last++
		}
		text := strconv.Itoa(partitions[first])
		if last > first {
			text += "-" + strconv.Itoa(partitions[last])
		}
		all = append(all, text)
		i = last + 1
	}
	return strings.Join(all, ", ")
}
