package when

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// The errors of parseISODuration.
var (
	errFormat  = errors.New("format not recognized")
	errRepeats = errors.New("repeats not supported")
)

// isoDuration is an ISO 8601 duration: a part of the calendar, then one of the
// clock.
type isoDuration struct {
	years, months, days int
	seconds             int64
	ignored             string // the end of the text, which has no unit
}

// after returns the instant d after t. A day beyond the end of a month counts in
// the next one: January 31 and a month is March 2 or 3.
func (d isoDuration) after(t time.Time) time.Time {
	t = t.AddDate(d.years, d.months, d.days)
	return time.Unix(t.Unix()+d.seconds, int64(t.Nanosecond())).UTC()
}

// empty reports whether d is zero by accident: no number has a unit, or only
// zeros have one and a part is ignored.
func (d isoDuration) empty(text string) bool {
	nothing := d.years == 0 && d.months == 0 && d.days == 0 && d.seconds == 0
	return nothing && (d.ignored != "" || strings.HasSuffix(text, "PT"))
}

// parseISODuration reads a P, years, months, weeks and days, then a T, hours, minutes
// and seconds, in any order, all whole numbers, of any sign. As in Dapr, a
// number without a unit at the end is ignored ([Words.Warnings] reports it), and
// a repetition before the P is accepted if its count is 0.
//
// A number that exceeds the range of instants counts as the smallest that does,
// so that sums cannot overflow.
func parseISODuration(s string) (isoDuration, error) {
	var repeats int
	if rest, ok := strings.CutPrefix(s, "R"); ok {
		count, rest, ok := strings.Cut(rest, "/")
		n, err := integer(count)
		if !ok || err != nil {
			return isoDuration{}, errFormat
		}
		repeats, s = n, rest
	}
	s, ok := strings.CutPrefix(s, "P")
	if !ok || s == "" {
		return isoDuration{}, errFormat
	}
	var d isoDuration
	var clock bool // past the T
	var start int  // of the number
	for i := range len(s) {
		switch unit := s[i]; unit {
		case 'T':
			if clock || start != i {
				return isoDuration{}, errFormat
			}
			clock, start = true, i+1
		case 'Y', 'M', 'W', 'D', 'H', 'S':
			n, err := integer(s[start:i])
			if err != nil || !d.add(n, unit, clock) {
				return isoDuration{}, errFormat
			}
			start = i + 1
		}
	}
	if repeats > 0 {
		return isoDuration{}, errRepeats
	}
	d.ignored = s[start:]
	return d, nil
}

// add adds n of a unit, and reports whether the part of the calendar or of the
// clock has that unit.
func (d *isoDuration) add(n int, unit byte, clock bool) bool {
	const reach = 12_000 // years, more than between any two instants
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

// integer reads a number with or without a sign. It clamps numbers out of range.
func integer(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if errors.Is(err, strconv.ErrRange) {
		err = nil
	}
	return n, err
}
