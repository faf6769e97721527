package when

import (
	"fmt"
	"time"
)

// Rule says how a job recurs: by the calendar or at an interval. It is small,
// immutable and cheap to parse again. The zero Rule never recurs.
type Rule struct {
	calendar *calendar     // not nil: by the calendar
	interval bool          // at an interval, which is every
	every    time.Duration // not negative; zero: again at the same instant
}

// Every returns the rule that is due d after the last time. It panics if d is
// negative.
func Every(d time.Duration) Rule {
	if d < 0 {
		panic(fmt.Sprintf("when: interval %v is negative", d))
	}
	return Rule{interval: true, every: d}
}

// IsZero reports whether r never recurs.
func (r Rule) IsZero() bool { return r == Rule{} }

// Equal reports whether r and other name the same instants in the same words
// of the same zone.
func (r Rule) Equal(other Rule) bool {
	if r.calendar == nil || other.calendar == nil {
		return r == other
	}
	return *r.calendar == *other.calendar
}

// Next returns the first instant of r after t, in UTC: for a calendar rule the
// first whole second strictly after t that matches, for an interval t plus the
// interval. ok is false when there is none in range, or none within forty
// years for a calendar rule.
func (r Rule) Next(t time.Time) (next time.Time, ok bool) {
	if !InRange(t) {
		return time.Time{}, false
	}
	switch {
	case r.calendar != nil:
		second, ok := r.calendar.after(t.Unix())
		if !ok {
			return time.Time{}, false
		}
		return time.Unix(second, 0).UTC(), true
	case r.interval:
		if next = t.UTC().Add(r.every); InRange(next) {
			return next, true
		}
	}
	return time.Time{}, false
}
