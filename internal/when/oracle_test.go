package when_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"carillon/internal/when"
)

// Around changes of offset, the instants of a rule are exactly the real seconds
// at which the wall clock matches: a second-by-second walk finds the same ones.
func TestRuleFiresWheneverWallClockMatches(t *testing.T) {
	t.Parallel()
	const (
		windows   = 4
		schedules = 10
		length    = 28 * 3600 // seconds
	)
	for i, zone := range zoneNames() {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, uint64(i)))
			loc, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			for range windows {
				start := time.Unix(r.Int64N(2_700_000_000), 0)
				if r.IntN(4) == 0 { // any year from 1 to 9999
					start = time.Unix(r.Int64N(315_500_000_000)-62_135_596_800, 0)
				}
				if _, end := start.In(loc).ZoneBounds(); !end.IsZero() {
					start = end.Add(-time.Duration(r.IntN(length)) * time.Second)
				}
				walls := make([]wall, length)
				for s := range walls {
					walls[s] = read(start.Add(time.Duration(s+1) * time.Second).In(loc))
				}
				for range schedules {
					schedule := randomSchedule(r, zone)
					rule, err := when.ParseRule(schedule)
					if err != nil {
						continue // the differential test tells why
					}
					compareWithWalk(t, schedule, rule, start, walls)
				}
			}
		})
	}
}

// compareWithWalk compares rule with what the wall shows in each of the seconds
// after start.
func compareWithWalk(t *testing.T, schedule string, rule when.Rule, start time.Time, walls []wall) {
	t.Helper()
	slow := readNaively(t, schedule)
	last := start
	next, ok := rule.Next(last)
	for i, w := range walls {
		if !slow.shows(w) {
			continue
		}
		want := start.Add(time.Duration(i+1) * time.Second)
		if !ok || !next.Equal(want) {
			t.Fatalf("%s: Next(%v) = %v, %v, want %v", schedule, last.In(slow.zone), next.In(slow.zone), ok, want.In(slow.zone))
		}
		last = next
		next, ok = rule.Next(last)
	}
	if end := start.Add(time.Duration(len(walls)) * time.Second); ok && !next.After(end) {
		t.Fatalf("%s: Next(%v) = %v, want none until %v", schedule, last.In(slow.zone), next.In(slow.zone), end.In(slow.zone))
	}
}
