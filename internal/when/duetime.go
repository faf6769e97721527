package when

import (
	"errors"
	"time"
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

// parseTTL reads a ttl, relative to base if it is a duration. The result may
// be out of range.
func parseTTL(s string, base time.Time) (time.Time, error) {
	until, err := parseInstant(s, base)
	if err != nil {
		return time.Time{}, &Error{"ttl", "ttl format not recognized", helpInstant("ttl", s, base)}
	}
	return until, nil
}
