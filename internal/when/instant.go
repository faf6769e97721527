package when

import (
	"errors"
	"time"
)

// The errors of parseInstant.
var (
	errFormat  = errors.New("format not recognized")
	errRepeats = errors.New("repeats not supported")
)

// parseDue reads a due time, relative to now if it is a duration.
func parseDue(s string, now time.Time) (time.Time, error) {
	due, err := parseInstant(s, now)
	switch {
	case errors.Is(err, errRepeats):
		return time.Time{}, &Error{"due_time", "repeats not supported for due time", helpRepeats(s)}
	case err != nil:
		return time.Time{}, &Error{"due_time", "due time format not recognized", helpInstant("dueTime", s, now)}
	case !mayBeDue(s, due):
		return time.Time{}, &Error{"due_time", "due time is out of range: it must lie in the years 0 to 9999", "dueTime is " + quote(s)}
	}
	return due, nil
}

// mayBeDue reports whether t, the instant of s, can be a due time: any instant of
// RFC 3339, and one after a duration in the years 0 to 9999 in UTC.
func mayBeDue(s string, t time.Time) bool {
	if _, err := time.Parse(time.RFC3339, s); err == nil {
		return true
	}
	return InRange(t) && 0 <= t.Year() && t.Year() <= 9999
}

// parseTTL reads a ttl, relative to base if it is a duration. The result may
// be out of range.
func parseTTL(s string, base time.Time) (time.Time, error) {
	until, err := parseInstant(s, base)
	if err != nil {
		return time.Time{}, &Error{"ttl", "ttl format not recognized", helpInstant("ttl", s, base)}
	}
	return until, nil
}

// parseInstant reads an instant in RFC 3339, or a Go or an ISO 8601 duration
// after base, tried in this order.
func parseInstant(s string, base time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return base.Add(d), nil
	}
	d, err := parseISODuration(s)
	if err != nil {
		return time.Time{}, err
	}
	return d.after(base), nil
}
