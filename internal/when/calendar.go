package when

import (
	"math/bits"
	"time"
)

// horizon is how far ahead a calendar rule is searched, in seconds: forty years.
const horizon = 40 * 366 * day

const (
	minute int64 = 60
	hour         = 60 * minute
	day          = 24 * hour
)

// calendar is a rule by the calendar: the sets of values its fields allow.
type calendar struct {
	seconds, minutes, hours set
	days, months, weekdays  set            // from 1, from 1, from 0 = Sunday
	either                  bool           // the day or the weekday must match; otherwise both
	zone                    *time.Location // nil: UTC
}

// impossible reports whether no year has a date that matches. Each month has
// every weekday, so that only a rule for days of the month can be.
func (c *calendar) impossible() bool {
	if c.either {
		return false
	}
	for month, ok := c.months.from(1); ok; month, ok = c.months.from(month + 1) {
		const leapYear = 2024
		if c.days&upTo(daysIn(leapYear, time.Month(month))) != 0 {
			return false
		}
	}
	return true
}

// after returns the first second after the given one at which the wall clock
// of the zone matches, both in Unix time.
//
// Real time is a sequence of periods, in each of which the zone keeps one
// offset. Within a period wall time and real time run alike, so the search is
// that for a wall time; gaps and overlaps lie between periods.
func (c *calendar) after(second int64) (int64, bool) {
	end := min(second+horizon, lastSecond) + 1
	for at := second + 1; at < end; {
		offset, until := period(c.zone, at)
		until = min(until, end)
		if wall, ok := c.match(at+offset, until+offset); ok {
			return wall - offset, true
		}
		at = until
	}
	return 0, false
}

// period returns the offset of a zone at a second, and the second when it ends. A nil zone is UTC.
func period(zone *time.Location, at int64) (offset, until int64) {
	if zone == nil {
		return 0, lastSecond + 1
	}
	t := time.Unix(at, 0).In(zone)
	_, seconds := t.Zone()
	_, end := t.ZoneBounds()
	if end.IsZero() {
		return int64(seconds), lastSecond + 1
	}
	until = end.Unix()
	if until <= at {
		// On the last day of a leap year that its rules alone describe, and
		// no table, package time says that the period ended the day before.
		// It lasts into the next year.
		until = at - at%day + day
	}
	return int64(seconds), until
}

// match returns the first wall time in [from, limit) that matches. Wall times
// are counted in seconds as if the wall were in UTC.
func (c *calendar) match(from, limit int64) (wall int64, ok bool) {
	date := time.Unix(from, 0).UTC()
	year, month, today := date.Date()
	h, m, s := date.Clock()
	rest, more := c.clock(h, m, s)
	if !more {
		today++ // no match is left today
	}
	for {
		if c.months.has(int(month)) {
			first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
			if first.Unix() >= limit {
				return 0, false
			}
			if d, ok := c.dates(first).from(today); ok {
				if d != today || !more {
					rest, _ = c.clock(0, 0, 0)
				}
				wall = first.Unix() + int64(d-1)*day + rest
				return wall, wall < limit
			}
		}
		today, more = 1, false
		if month++; month > time.December {
			year, month = year+1, time.January
		}
	}
}

// clock returns the first matching second of a day from h:m:s on.
func (c *calendar) clock(h, m, s int) (second int64, ok bool) {
	if !c.hours.has(h) {
		m, s = 0, 0
	} else if !c.minutes.has(m) {
		s = 0
	}
	if s, ok = c.seconds.from(s); !ok {
		s, _ = c.seconds.from(0)
		m++
	}
	if m, ok = c.minutes.from(m); !ok {
		m, _ = c.minutes.from(0)
		h++
	}
	if h, ok = c.hours.from(h); !ok {
		return 0, false
	}
	return int64(h)*hour + int64(m)*minute + int64(s), true
}

// dates returns the matching days of the month that begins with first.
func (c *calendar) dates(first time.Time) set {
	// The weekdays of the month's first seven days, and again for each week.
	start := int(first.Weekday())
	week := (c.weekdays>>start | c.weekdays<<(7-start)) & upTo7
	weekdays := (week | week<<7 | week<<14 | week<<21 | week<<28) << 1
	dates := c.days & weekdays
	if c.either {
		dates = c.days | weekdays
	}
	return dates & upTo(daysIn(first.Year(), first.Month()))
}

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// set is a set of the numbers 0 to 63.
type set uint64

const upTo7 set = 1<<7 - 1

// upTo returns the numbers from 0 to n.
func upTo(n int) set { return 1<<(n+1) - 1 }

func (s set) has(n int) bool { return s>>n&1 != 0 }

// from returns the least member that is not less than n.
func (s set) from(n int) (least int, ok bool) {
	s = s >> n << n
	return bits.TrailingZeros64(uint64(s)), s != 0
}
