package output

import (
	"fmt"
	"math"
	"time"

	"carillon/internal/terminal"
)

// inUTC formats t in RFC 3339, in UTC.
func inUTC(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// inZone returns a function that formats a time in RFC 3339, in a zone.
func inZone(zone *time.Location) func(time.Time) string {
	return func(t time.Time) string { return t.In(zone).Format(time.RFC3339) }
}

// Absolute formats t in RFC 3339: in UTC for the formats wide and csv, and otherwise in the zone of
// the user. A terminal, too, shows the instant, and not its distance from now.
func Absolute(s *terminal.Streams, f Format, t time.Time) string {
	times := inZone(s.Zone)
	if f == Wide || f == CSV {
		times = inUTC
	}
	return textOf(t, times)
}

// relativeTo returns a function that formats a time as its distance from now, such as "in 5m" or
// "3d ago".
func relativeTo(now time.Time) func(time.Time) string {
	return func(t time.Time) string {
		switch d := t.Sub(now); {
		case d == math.MaxInt64: // a duration holds 292 years
			return "in " + years(t.Unix()-now.Unix())
		case d == math.MinInt64:
			return years(now.Unix()-t.Unix()) + " ago"
		case d > 0:
			return "in " + span(d)
		default:
			return span(-d) + " ago"
		}
	}
}

// years returns so many seconds in years of the calendar, on average.
func years(seconds int64) string { return fmt.Sprintf("%dy", seconds/31_556_952) }

// span returns a duration in one unit, or in two where the first alone would be coarse. It rounds
// down.
func span(d time.Duration) string {
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 10*time.Minute:
		return two(d, time.Minute, "m", time.Second, "s")
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 10*time.Hour:
		return two(d, time.Hour, "h", time.Minute, "m")
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d < 10*day:
		return two(d, day, "d", time.Hour, "h")
	case d < 2*year:
		return fmt.Sprintf("%dd", d/day)
	default:
		return fmt.Sprintf("%dy", d/year)
	}
}

// two returns a duration in a large and a small unit.
func two(d, large time.Duration, l string, small time.Duration, s string) string {
	if rest := d % large / small; rest > 0 {
		return fmt.Sprintf("%d%s%d%s", d/large, l, rest, s)
	}
	return fmt.Sprintf("%d%s", d/large, l)
}
