package when

import "time"

// A ClockChange is an instant at which the clocks of a time zone go forward or back.
type ClockChange struct {
	// At is the first instant with the new offset, in UTC.
	At time.Time
	// Before and After are the offsets east of UTC, in whole seconds. They differ.
	Before, After time.Duration
}

// NextClockChange returns the first clock change of a zone after an instant and not after another.
// ok is false if there is none. The work grows with the time between the two: some changes a year.
func NextClockChange(zone *time.Location, after, until time.Time) (c ClockChange, ok bool) {
	if zone == time.UTC {
		zone = nil
	}
	end := Clamp(until).Unix()
	before, at := period(zone, Clamp(after).Unix())
	for at <= end {
		offset, next := period(zone, at)
		if offset != before {
			return ClockChange{
				At:     time.Unix(at, 0).UTC(),
				Before: time.Duration(before) * time.Second, After: time.Duration(offset) * time.Second,
			}, true
		}
		at = next
	}
	return ClockChange{}, false
}
