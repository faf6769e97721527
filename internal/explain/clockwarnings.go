package explain

import (
	"time"

	"carillon/internal/when"
)

// maxClockWarnings is how many clock changes have a warning at most. Few zones have more in a year.
const maxClockWarnings = 4

// clockWarnings returns warnings about the clock changes of the coming year that skip or repeat times
// of a calendar rule.
func clockWarnings(s Schedule, v when.Values, now time.Time) (all []Warning) {
	until := now.AddDate(1, 0, 0)
	if end := s.Plan.Until; !end.IsZero() && end.Before(until) {
		until = end
	}
	if s.HasDueTime && s.Plan.First.After(now) {
		now = s.Plan.First
	}
	for c := range clockChanges(v.Zone, now, until) {
		if len(all) == maxClockWarnings {
			break
		}
		e, ok := effectOf(s.Plan.Rule, v, c)
		switch {
		case ok && e.skips():
			all = append(all, Warning{ClockSkips, e.sentence()})
		case ok:
			all = append(all, Warning{ClockRepeats, e.sentence()})
		}
	}
	return all
}
