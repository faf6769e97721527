package when

import "time"

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

// mayBeDue reports whether t, the instant of s, can be a due time: any instant of
// RFC 3339, and one after a duration in the years 0 to 9999 in UTC.
func mayBeDue(s string, t time.Time) bool {
	if _, err := time.Parse(time.RFC3339, s); err == nil {
		return true
	}
	return InRange(t) && 0 <= t.Year() && t.Year() <= 9999
}
