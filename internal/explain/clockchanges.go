package explain

import (
	"iter"
	"time"

	"carillon/internal/when"
)

// clockChanges returns the clock changes of a zone after an instant and not after another, in order.
func clockChanges(zone *time.Location, after, until time.Time) iter.Seq[when.ClockChange] {
	return func(yield func(when.ClockChange) bool) {
		for {
			c, ok := when.NextClockChange(zone, after, until)
			if !ok || !yield(c) {
				return
			}
			after = c.At
		}
	}
}
