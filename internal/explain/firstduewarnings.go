package explain

import (
	"fmt"
	"time"
)

// firstDueWarnings returns warnings about the first instant at which a schedule is due.
func firstDueWarnings(s Schedule, now time.Time) (all []Warning) {
	p := s.Plan
	first, ok := p.Next(0, time.Time{})
	switch {
	case !ok && !p.Until.IsZero() && p.First.After(p.Until):
		return []Warning{{EndsBeforeFirst, fmt.Sprintf(
			"the job ends at %s, before it is first due at %s: it never runs", instant(p.Until), instant(p.First))}}
	case !ok:
		return []Warning{{NeverDue, "the job is never due"}}
	case first.After(now.AddDate(1, 0, 0)):
		return []Warning{{DueInOverAYear, fmt.Sprintf(
			"the job is first due at %s, in more than a year", instant(first))}}
	case !s.HasDueTime || !first.Before(now):
		return nil
	}
	if next, ok := p.Next(1, first); ok && !next.After(now) {
		return []Warning{{DueInPast, fmt.Sprintf("the due time %s has passed: "+
			"the job is due at once, and once more for each instant of the schedule since then", instant(first))}}
	}
	return []Warning{{DueInPast, fmt.Sprintf("the due time %s has passed: the job is due at once", instant(first))}}
}
