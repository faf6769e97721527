package when

import (
	"fmt"
	"time"
)

// Words are the fields with which a user says when a job is due, kept verbatim.
// nil means that the field is absent; an empty string is present, and invalid.
type Words struct {
	Schedule, DueTime, TTL *string
	Repeats                *uint32
}

// Resolve checks w and turns it into a plan as of now. It is the one place
// where a relative time becomes an instant.
//
// The first instant is the due time if there is one, and otherwise the first
// instant of the schedule after now: a schedule alone never fires at once. A
// due time in the past stays as it is. A ttl counts from the due time if there
// is one, else from now; that a plan ends before it begins is no error, unless
// the due time says so.
//
// Every error is an *Error. Errors of the combination of fields come first, then
// those of the schedule, the due time and the ttl, in this order.
func (w Words) Resolve(now time.Time) (Plan, error) {
	if err := w.check(); err != nil {
		return Plan{}, err
	}
	var p Plan
	if w.Repeats != nil {
		p.Repeats = *w.Repeats
	}
	if w.Schedule != nil {
		rule, err := parseRule(*w.Schedule)
		if err != nil {
			return Plan{}, err
		}
		if err := rule.checkFrequency(*w.Schedule, p.Repeats); err != nil {
			return Plan{}, err
		}
		p.Rule = rule
	}
	p.First = now.UTC()
	if w.DueTime != nil {
		due, err := parseDue(*w.DueTime, p.First)
		if err != nil {
			return Plan{}, err
		}
		p.First = due
	}
	if w.TTL != nil {
		until, err := parseTTL(*w.TTL, p.First)
		if err != nil {
			return Plan{}, err
		}
		if w.DueTime != nil && p.First.After(until) {
			return Plan{}, &Error{"ttl", "ttl must be greater than due time", fmt.Sprintf(
				"ttl %s ends at %s, before dueTime %s, which is %s", quote(*w.TTL), show(until), quote(*w.DueTime), show(p.First))}
		}
		p.Until = end(until)
	}
	if w.Schedule != nil {
		next, err := p.Rule.firstAfter(*w.Schedule, p.First)
		if err != nil {
			return Plan{}, err
		}
		if w.DueTime == nil {
			p.First = next
		}
	}
	return p, nil
}

// end returns the last instant of a plan that ends at t. The zero time says
// that there is no end, so a plan that ends then ends a nanosecond later.
func end(t time.Time) time.Time {
	if t.IsZero() {
		return t.Add(1)
	}
	return Clamp(t)
}

// check returns the error of an invalid combination of fields.
func (w Words) check() error {
	switch {
	case w.DueTime == nil && w.Schedule == nil:
		return &Error{"schedule", "job must have either a due time or a schedule", `give dueTime, such as "30s", or schedule, such as "@every 5m", or both`}
	case w.Schedule == nil && w.Repeats != nil && *w.Repeats > 1:
		return &Error{"repeats", "job must have a schedule to repeat", fmt.Sprintf(`repeats is %d: leave it out, or add a schedule such as "@every 5m"`, *w.Repeats)}
	case w.Repeats != nil && *w.Repeats == 0:
		return &Error{"repeats", "defined repeats must be greater than 0", "leave it out for a job without such a limit"}
	case w.Schedule == nil && w.TTL != nil:
		return &Error{"ttl", "job must have a schedule to have a ttl", fmt.Sprintf(
			`ttl %s says when a job that recurs ends, and one with dueTime alone is due once: leave the ttl out, or add a schedule such as "@every 5m"`, quote(*w.TTL))}
	}
	return nil
}
