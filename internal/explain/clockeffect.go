package explain

import (
	"fmt"
	"strings"
	"time"

	"carillon/internal/when"
)

// clockEffect is what a clock change does to a calendar rule: wall-clock times of the rule that it
// skips, because the clock goes forward past them, or repeats, because it goes back before them.
type clockEffect struct {
	zone   *time.Location
	change when.ClockChange
	// first is the first wall-clock time affected, as if it were in UTC.
	first time.Time
	// more says that first is not the only one.
	more bool
}

// effectOf returns the effect of a clock change. ok is false if no wall-clock time of the rule is
// skipped or repeated, and if the rule runs through the change at the same distances as before.
func effectOf(r when.Rule, v when.Values, c when.ClockChange) (e clockEffect, ok bool) {
	if steady(v, c.After-c.Before) {
		return clockEffect{}, false
	}
	from, to := c.At.Add(c.Before), c.At.Add(c.After)
	if from.After(to) {
		from, to = to, from
	}
	walls := r.InUTC()
	first, ok := walls.Next(from.Add(-time.Second))
	if !ok || !first.Before(to) {
		return clockEffect{}, false
	}
	second, ok := walls.Next(first)
	return clockEffect{v.Zone, c, first, ok && second.Before(to)}, true
}

// steady reports whether a rule keeps its distances when the clock goes forward or back by a
// duration: one for every hour does if the clock changes by whole hours.
func steady(v when.Values, by time.Duration) bool {
	switch {
	case len(v.Hours) < 24:
		return false
	case len(v.Minutes) < 60:
		return by%time.Hour == 0
	case len(v.Seconds) < 60:
		return by%time.Minute == 0
	}
	return true
}

// skips reports whether times are skipped. Otherwise they are repeated.
func (e clockEffect) skips() bool { return e.change.After > e.change.Before }

// showing says which of the two showings of one wall-clock time an instant is: 1 before the clock
// goes back, 2 after. It is 0 for an instant at which the clock shows no time twice.
func (e clockEffect) showing(t time.Time) int {
	length := e.change.Before - e.change.After
	switch since := t.Sub(e.change.At); {
	case -length <= since && since < 0:
		return 1
	case 0 <= since && since < length:
		return 2
	}
	return 0
}

// sentence says which occurrences are skipped or repeated, when and where.
func (e clockEffect) sentence() string {
	one, many := "comes twice", "come twice"
	if e.skips() {
		one, many = "is skipped", "are skipped"
	}
	if e.more {
		return fmt.Sprintf("%s: the occurrences between %s, the first at %s", turn(e.zone, e.change), many, wall(e.first))
	}
	return fmt.Sprintf("%s: the occurrence at %s %s", turn(e.zone, e.change), wall(e.first), one)
}

// turn says how the clock of a zone changes.
func turn(zone *time.Location, c when.ClockChange) string {
	before, after := c.At.Add(c.Before), c.At.Add(c.After)
	direction := "forward"
	if c.After < c.Before {
		direction = "back"
	}
	to := wall(after)
	if after.YearDay() == before.YearDay() {
		_, to, _ = strings.Cut(to, " ") // without the date
	}
	return fmt.Sprintf("in %s the clock goes %s from %s to %s", zone, direction, wall(before), to)
}

// wall returns a wall-clock time. Seconds are only there if they are not zero.
func wall(t time.Time) string {
	if t.Second() == 0 {
		return t.Format("2006-01-02 15:04")
	}
	return t.Format("2006-01-02 15:04:05")
}
