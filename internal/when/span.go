package when

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// span is an ISO 8601 duration: some of the calendar, then some of the clock.
type span struct {
	years, months, days int
	seconds             int64
	ignored             string // what was left over at its end, without a unit
}

// after returns the instant d after t. A day too many for a month runs over
// into the next one: January 31 and a month is March 2 or 3.
func (d span) after(t time.Time) time.Time {
	t = t.AddDate(d.years, d.months, d.days)
	return time.Unix(t.Unix()+d.seconds, int64(t.Nanosecond())).UTC()
}

// empty says that d comes to nothing, and that not because its author says so:
// no number has a unit, or only zeros have one and something is left over.
func (d span) empty(text string) bool {
	nothing := d.years == 0 && d.months == 0 && d.days == 0 && d.seconds == 0
	return nothing && (d.ignored != "" || strings.HasSuffix(text, "PT"))
}

// parseSpan reads a P, years, months, weeks and days, then a T, hours, minutes
// and seconds, in any order, all whole numbers, of any sign. As in Dapr, what
// is left over without a unit at the end is ignored, and a repetition before
// the P is accepted if it asks for none. [Words.Doubts] tells.
//
// A number whose unit carries it past every instant there is counts as the
// least such number, so that sums cannot overflow.
func parseSpan(s string) (span, error) {
	var repeats int
	if rest, ok := strings.CutPrefix(s, "R"); ok {
		count, rest, ok := strings.Cut(rest, "/")
		n, err := integer(count)
		if !ok || err != nil {
			return span{}, errFormat
		}
		repeats, s = n, rest
	}
	s, ok := strings.CutPrefix(s, "P")
	if !ok || s == "" {
		return span{}, errFormat
	}
	var d span
	var clock bool // past the T
	var start int  // of the number
	for i := range len(s) {
		switch unit := s[i]; unit {
		case 'T':
			if clock || start != i {
				return span{}, errFormat
			}
			clock, start = true, i+1
		case 'Y', 'M', 'W', 'D', 'H', 'S':
			n, err := integer(s[start:i])
			if err != nil || !d.add(n, unit, clock) {
				return span{}, errFormat
			}
			start = i + 1
		}
	}
	if repeats > 0 {
		return span{}, errRepeats
	}
	d.ignored = s[start:]
	return d, nil
}

// add adds n of a unit, and reports whether there is such a unit in that part.
func (d *span) add(n int, unit byte, clock bool) bool {
	const reach = 12_000 // years; more than lie between any two instants
	atMost := func(most int) int { return max(-most, min(n, most)) }
	switch {
	case !clock && unit == 'Y':
		d.years += atMost(reach)
	case !clock && unit == 'M':
		d.months += atMost(reach * 12)
	case !clock && unit == 'W':
		d.days += atMost(reach*53) * 7
	case !clock && unit == 'D':
		d.days += atMost(reach * 366)
	case clock && unit == 'H':
		d.seconds += int64(atMost(reach*366*24)) * hour
	case clock && unit == 'M':
		d.seconds += int64(atMost(reach*366*24*60)) * minute
	case clock && unit == 'S':
		d.seconds += int64(atMost(reach * 366 * 24 * 60 * 60))
	default:
		return false
	}
	return true
}

// integer reads a number with or without a sign; one too large is the largest.
func integer(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if errors.Is(err, strconv.ErrRange) {
		err = nil
	}
	return n, err
}
