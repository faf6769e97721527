package when_test

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// naive is a calendar schedule read the slow and obvious way: one bool for each
// value of each field. It shares nothing with the package, and the tests that
// compare the two lean on that.
type naive struct {
	allows             [6][60]bool
	anyDay, anyWeekday bool
	zone               *time.Location
}

// readNaively reads a schedule that is known to be valid and not an interval.
func readNaively(tb testing.TB, schedule string) *naive {
	tb.Helper()
	n := &naive{zone: time.UTC}
	if i := strings.Index(schedule, "TZ="); i >= 0 {
		name, rest, _ := strings.Cut(schedule[i+len("TZ="):], " ")
		if name != "Local" {
			n.zone = loadZone(tb, name)
		}
		schedule = strings.TrimSpace(rest)
	}
	if fields, ok := map[string]string{
		"@yearly": "0 0 0 1 1 ?", "@annually": "0 0 0 1 1 ?", "@monthly": "0 0 0 1 * ?", "@weekly": "0 0 0 ? * sun",
		"@daily": "0 0 0 * * ?", "@midnight": "0 0 0 * * ?", "@hourly": "0 0 * * * ?",
	}[schedule]; ok {
		schedule = fields
	}
	for i, list := range strings.Fields(schedule) {
		for item := range strings.SplitSeq(list, ",") {
			if item != "" {
				n.allow(tb, i, item)
			}
		}
	}
	return n
}

// zonesLoaded keeps zones by name: the tests name one a hundred thousand times.
var zonesLoaded sync.Map

func loadZone(tb testing.TB, name string) *time.Location {
	tb.Helper()
	if zone, ok := zonesLoaded.Load(name); ok {
		return zone.(*time.Location)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		tb.Fatal(err)
	}
	zonesLoaded.Store(name, zone)
	return zone
}

func (n *naive) allow(tb testing.TB, field int, item string) {
	tb.Helper()
	least, most := [...]int{0, 0, 0, 1, 1, 0}[field], [...]int{59, 59, 23, 31, 12, 6}[field]
	value := func(s string) int {
		names := [...][]string{
			4: {"", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"},
			5: {"sun", "mon", "tue", "wed", "thu", "fri", "sat"},
		}[field]
		if i := slices.Index(names, strings.ToLower(s)); i >= 0 {
			return i
		}
		v, err := strconv.Atoi(s)
		if err != nil {
			tb.Fatalf("value %q of field %d: %v", s, field, err)
		}
		return v
	}
	halves := strings.Split(item, "/")
	bounds := strings.Split(halves[0], "-")
	from, to, step := least, most, 1
	star := bounds[0] == "*" || bounds[0] == "?"
	if len(halves) == 2 {
		step = value(halves[1])
	}
	if !star {
		from = value(bounds[0])
		if len(bounds) == 2 {
			to = value(bounds[1])
		} else if len(halves) == 1 {
			to = from
		}
	}
	for v := from; v <= to; v++ {
		if (v-from)%step == 0 {
			n.allows[field][v] = true
		}
	}
	n.anyDay = n.anyDay || field == 3 && star && step == 1
	n.anyWeekday = n.anyWeekday || field == 5 && star && step == 1
}

// matches reports whether a clock on the wall shows a matching time at t.
func (n *naive) matches(t time.Time) bool { return n.shows(read(t.In(n.zone))) }

// shows reports whether a reading of the clock on the wall matches.
func (n *naive) shows(w wall) bool {
	day, weekday := n.allows[3][w.day], n.allows[5][w.weekday]
	dated := day && weekday
	if !n.anyDay && !n.anyWeekday {
		dated = day || weekday
	}
	return n.allows[0][w.second] && n.allows[1][w.minute] && n.allows[2][w.hour] &&
		n.allows[4][w.month] && dated && w.nanosecond == 0
}

// wall is what a clock on a wall shows.
type wall struct{ month, day, weekday, hour, minute, second, nanosecond int }

func read(t time.Time) wall {
	return wall{int(t.Month()), t.Day(), int(t.Weekday()), t.Hour(), t.Minute(), t.Second(), t.Nanosecond()}
}
