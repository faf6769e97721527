package when

import (
	"fmt"
	"strings"
	"time"
)

// Rule says how a job recurs: by the calendar or at an interval. It is small,
// immutable and cheap to parse again. The zero Rule never recurs.
type Rule struct {
	calendar *calendar     // not nil: by the calendar
	interval bool          // at an interval, which is every
	every    time.Duration // not negative; zero: again at the same instant
}

// MinInterval is the shortest interval at which a job may recur or be retried,
// except zero. Zero is the same instant again, for the repeats of the plan.
const MinInterval = time.Millisecond

// maxAtOnce is how often a job with an interval of zero may be due.
const maxAtOnce = 1000

// Every returns the rule that is due d after the last time. It panics if d is
// negative.
func Every(d time.Duration) Rule {
	if d < 0 {
		panic(fmt.Sprintf("when: interval %v is negative", d))
	}
	return Rule{interval: true, every: d}
}

// ParseRule reads a schedule: six fields of a calendar rule with the seconds
// first, the descriptor of one (@hourly, @daily …), or "@every" and a Go
// duration. "TZ=<zone> " or "CRON_TZ=<zone> " before a calendar rule names the
// zone it is evaluated in; without it, and for an empty zone and Local, that is
// UTC. Every error is an *Error.
//
// It refuses what could never be due: a date no month has, a field without a
// value, a negative interval. An interval of zero is accepted; it needs a plan
// with repeats. A shorter one than MinInterval counts as MinInterval: new jobs cannot
// have one, but an older store may.
func ParseRule(s string) (Rule, error) {
	r, err := parseRule(s)
	if err != nil {
		return Rule{}, err
	}
	if r.tooFrequent() {
		r.every = MinInterval
	}
	return r, nil
}

// tooFrequent reports whether the interval of r is shorter than MinInterval.
func (r Rule) tooFrequent() bool { return r.interval && 0 < r.every && r.every < MinInterval }

// badSchedule returns an error about a schedule.
func badSchedule(help, format string, args ...any) error {
	return &Error{"schedule", fmt.Sprintf(format, args...), help}
}

func parseRule(s string) (Rule, error) {
	if s == "" {
		return Rule{}, badSchedule(howToRecur, "empty spec string")
	}
	zone, rest, err := cutZone(s)
	if err != nil {
		return Rule{}, err
	}
	if text, ok := strings.CutPrefix(rest, "@every "); ok {
		if len(rest) != len(s) {
			return Rule{}, badSchedule("an interval is the same in every zone: "+helpLine(rest, "leave the zone out"), "timezone is not supported for @every schedules: %s", s)
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			return Rule{}, badSchedule(helpInterval(text), "failed to parse duration %s: %v", rest, err)
		}
		if d < 0 {
			return Rule{}, badSchedule("", "interval of %s is negative: it must be positive", rest)
		}
		return Every(d), nil
	}
	fields := rest
	if strings.HasPrefix(rest, "@") {
		if fields = descriptorFields(rest); fields == "" {
			return Rule{}, badSchedule(helpDescriptor(rest), "unrecognized descriptor: %s", rest)
		}
	}
	c, err := parseFields(fields)
	if err != nil {
		prefix, _, _ := strings.Cut(s, rest)
		return Rule{}, badSchedule(helpFields(prefix, fields), "%v", err)
	}
	if c.impossible() {
		return Rule{}, badSchedule("correct fields 4 and 5, the day and the month", "schedule %s is never due: none of its months has any of its days", s)
	}
	c.zone = zone
	return Rule{calendar: c}, nil
}

// cutZone returns the zone of a schedule, nil for UTC, and the rest.
func cutZone(s string) (zone *time.Location, rest string, err error) {
	name, prefixed := strings.CutPrefix(s, "TZ=")
	if !prefixed {
		if name, prefixed = strings.CutPrefix(s, "CRON_TZ="); !prefixed {
			return nil, s, nil
		}
	}
	name, rest, _ = strings.Cut(name, " ")
	if rest = strings.TrimSpace(rest); rest == "" {
		return nil, "", badSchedule(`put six fields behind it, as in "TZ=Europe/Berlin 0 0 6 * * *"`, "timezone prefix %s is not followed by a schedule", s)
	}
	if name == "" || name == "Local" {
		return nil, rest, nil
	}
	if zone, err = zones.load(name); err != nil {
		return nil, "", badSchedule(helpZone(name), "provided bad location %s: unknown time zone %s", name, name)
	}
	return zone, rest, nil
}

// descriptorFields returns the fields of a descriptor, or "" if it is unknown.
func descriptorFields(name string) string {
	switch name {
	case "@yearly", "@annually":
		return "0 0 0 1 1 *"
	case "@monthly":
		return "0 0 0 1 * *"
	case "@weekly":
		return "0 0 0 * * 0"
	case "@daily", "@midnight":
		return "0 0 0 * * *"
	case "@hourly":
		return "0 0 * * * *"
	}
	return ""
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
