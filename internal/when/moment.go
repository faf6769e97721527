package when

import (
	"errors"
	"time"
)

// The two ways in which a text names no moment.
var (
	errFormat  = errors.New("format not recognized")
	errRepeats = errors.New("repeats not supported")
)

// parseDue reads a due time, relative to now if it is a duration.
func parseDue(s string, now time.Time) (time.Time, error) {
	due, err := parseMoment(s, now)
	switch {
	case errors.Is(err, errRepeats):
		return time.Time{}, &Error{"due_time", "repeats not supported for due time", helpRepeats(s)}
	case err != nil:
		return time.Time{}, &Error{"due_time", "due time format not recognized", helpMoment("dueTime", s, now)}
	case !mayBeDue(s, due):
		return time.Time{}, &Error{"due_time", "due time is out of range: it must lie in the years 0 to 9999", "dueTime is " + quote(s)}
	}
	return due, nil
}

// mayBeDue reports whether t, which s names, is a due time: what RFC 3339 writes,
// in any zone, and what a duration leads to in the same years in UTC.
func mayBeDue(s string, t time.Time) bool {
	if _, err := time.Parse(time.RFC3339, s); err == nil {
		return true
	}
	return InRange(t) && 0 <= t.Year() && t.Year() <= 9999
}

// parseTTL reads a ttl, relative to base if it is a duration. The result may
// be out of range.
func parseTTL(s string, base time.Time) (time.Time, error) {
	until, err := parseMoment(s, base)
	if err != nil {
		return time.Time{}, &Error{"ttl", "ttl format not recognized", helpMoment("ttl", s, base)}
	}
	return until, nil
}

// parseMoment reads an instant in RFC 3339, or a Go or an ISO 8601 duration
// after base, tried in this order.
func parseMoment(s string, base time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return base.Add(d), nil
	}
	d, err := parseSpan(s)
	if err != nil {
		return time.Time{}, err
	}
	return d.after(base), nil
}
