package when

import "time"

// Values are the values that the fields of a calendar rule allow. Each list is ascending and has at
// least one value.
type Values struct {
	Seconds, Minutes, Hours []int // from 0
	Days                    []int // of the month, from 1
	Months                  []int // from 1, which is January
	Weekdays                []int // from 0, which is Sunday
	// EitherDay says that a date matches if its day or its weekday matches. Otherwise both must.
	EitherDay bool
	// Zone is the time zone of the wall clock; never nil.
	Zone *time.Location
}

// Values returns the values of a calendar rule. ok is false for any other rule.
func (r Rule) Values() (v Values, ok bool) {
	c := r.calendar
	if c == nil {
		return Values{}, false
	}
	v = Values{
		Seconds: c.seconds.list(), Minutes: c.minutes.list(), Hours: c.hours.list(),
		Days: c.days.list(), Months: c.months.list(), Weekdays: c.weekdays.list(),
		EitherDay: c.either, Zone: time.UTC,
	}
	if c.zone != nil {
		v.Zone = c.zone
	}
	return v, true
}

// list returns the members of s, ascending.
func (s set) list() (members []int) {
	for n, ok := s.from(0); ok; n, ok = s.from(n + 1) {
		members = append(members, n)
	}
	return members
}

// Interval returns the interval of a rule that recurs at one. ok is false for any other rule.
func (r Rule) Interval() (every time.Duration, ok bool) { return r.every, r.interval }

// InUTC returns the rule whose instants in UTC have the wall-clock times of r, including those that
// a clock change skips in the zone of r. A rule that is no calendar rule has no zone: it stays as it
// is.
func (r Rule) InUTC() Rule {
	if r.calendar == nil {
		return r
	}
	c := *r.calendar
	c.zone = nil
	return Rule{calendar: &c}
}
