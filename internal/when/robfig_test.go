package when_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/robfig/cron/v3"

	"carillon/internal/when"
)

// The schedules and the instants compared come to a million pairs.
const comparedSchedules, comparedInstants = 15_000, 20

// Over a million random schedules and instants, robfig/cron gives the same
// answer, or a different one for a reason that has a name below.
func TestDifferencesFromRobfigCronAreKnown(t *testing.T) {
	t.Parallel()
	const shards = 10
	var mu sync.Mutex
	total := map[string]int{}
	t.Run("shard", func(t *testing.T) {
		for shard := range shards {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				counts := map[string]int{}
				r := rand.New(rand.NewPCG(2, uint64(shard)))
				for range comparedSchedules / shards {
					compareWithRobfig(t, r, counts)
				}
				mu.Lock()
				defer mu.Unlock()
				for class, n := range counts {
					total[class] += n
				}
			})
		}
	})
	pairs := 0
	for class, n := range total {
		t.Logf("%7d %s", n, class)
		pairs += n
	}
	if want := comparedSchedules * comparedInstants; pairs != want {
		t.Errorf("compared %d pairs, want %d", pairs, want)
	}
}

// compareWithRobfig compares one random schedule over random instants, and
// counts the answers by class.
func compareWithRobfig(t *testing.T, r *rand.Rand, counts map[string]int) {
	t.Helper()
	zone := pick(r, append(zoneNames(), "", "", "", "")...)
	schedule := randomSchedule(r, zone)
	ours, refused := when.ParseRule(schedule)
	slow := readNaively(t, schedule)
	theirs := parseByRobfig(t, schedule, slow.zone)
	for range comparedInstants {
		after := randomInstant(r, slow.zone)
		got, ok := ours.Next(after)
		var class string
		switch {
		case loops(zone, after, got, ok):
			class = "it never returns: a day was skipped"
		case refused != nil:
			class = explainRefusal(slow, theirs.Next(after))
		default:
			class = explain(slow, after, got, ok, theirs.Next(after))
		}
		if class == "" {
			t.Errorf("%s after %v: got %v, %v (refused: %v), robfig/cron says %v, and nothing explains that",
				schedule, after.In(slow.zone), got.In(slow.zone), ok, refused, theirs.Next(after).In(slow.zone))
		}
		counts[class]++
	}
}

// parseByRobfig parses a schedule without its zone, which it sets: loading a
// zone costs more than all the rest.
func parseByRobfig(t *testing.T, schedule string, zone *time.Location) cron.Schedule {
	t.Helper()
	if _, rest, ok := strings.Cut(schedule, "TZ="); ok {
		_, schedule, _ = strings.Cut(rest, " ")
	}
	parser := cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	parsed, err := parser.Parse(schedule)
	if err != nil {
		t.Fatalf("robfig/cron refuses %s: %v", schedule, err)
	}
	calendar, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		t.Fatalf("robfig/cron reads %s as %T", schedule, parsed)
	}
	calendar.Location = zone
	return calendar
}

// loops reports whether robfig/cron would search for ever: it adds a day to a
// date at midnight and arrives at the same date where the next was skipped, as
// in Samoa in 2011.
func loops(zone string, after, ours time.Time, ok bool) bool {
	skip := time.Date(2011, 12, 30, 10, 0, 0, 0, time.UTC)
	return zone == "Pacific/Apia" && after.Before(skip) && after.Year() >= 2005 && (!ok || !ours.Before(skip))
}

// explainRefusal names why a schedule that robfig/cron accepts was refused: it
// has no instant, and robfig/cron finds none either, or a wrong one.
func explainRefusal(slow *naive, theirs time.Time) string {
	const leapYear = 2000
	for day := time.Date(leapYear, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() == leapYear; day = day.AddDate(0, 0, 1) {
		if slow.allows[4][day.Month()] && slow.allows[3][day.Day()] {
			return ""
		}
	}
	switch {
	case !slow.anyWeekday:
		return ""
	case theirs.IsZero():
		return "impossible date: refused here, no answer there"
	case !slow.matches(theirs):
		return "impossible date: refused here, a wrong answer there"
	}
	return ""
}

// explain names why the answers differ, or says that they are the same. An
// answer of ours that is wrong by the wall clock, or later than a right one, is
// never explained. robfig/cron steps through days and hours of the wall, so
// what it gets wrong lies where those are not whole.
func explain(slow *naive, after, ours time.Time, ok bool, theirs time.Time) string {
	if !ok || !ours.After(after) || !slow.matches(ours) {
		return ""
	}
	if ours.Equal(theirs) {
		return "same"
	}
	if theirs.IsZero() && ours.In(slow.zone).Year() > after.In(slow.zone).Year()+5 {
		return "it gives up after five years"
	}
	changes := irregular(slow.zone, after, ours, theirs)
	if changes == "" {
		return ""
	}
	switch {
	case theirs.IsZero():
		return "it gives up at once: " + changes
	case !theirs.After(after):
		return "it goes back in time: " + changes
	case !slow.matches(theirs):
		return "its answer does not match: " + changes
	case theirs.After(ours):
		return "it misses an instant: " + changes
	}
	return ""
}

// irregular names what is odd about the days and hours a search goes through,
// from the first of a month to either answer: "" if nothing is.
func irregular(zone *time.Location, after, ours, theirs time.Time) string {
	var noMidnight, noWholeHour, overlap, gap bool
	until := ours
	if theirs.After(until) {
		until = theirs
	}
	until = until.AddDate(0, 0, 1)
	for at := after.AddDate(0, 0, -32).In(zone); ; {
		_, end := at.ZoneBounds()
		if end.IsZero() || end.After(until) {
			break
		}
		if !end.After(at) {
			end = at.Add(24 * time.Hour) // the last day of some leap years
		}
		_, before := at.Zone()
		at = end
		_, since := at.Zone()
		year, month, day := at.Date()
		midnight := time.Date(year, month, day, 0, 0, 0, 0, zone)
		noMidnight = noMidnight || midnight.Hour() != 0 || midnight.Day() != day
		noWholeHour = noWholeHour || (since-before)%3600 != 0 || at.Minute() != 0
		overlap = overlap || since < before
		gap = gap || since > before
	}
	switch {
	case noMidnight:
		return "a midnight was skipped"
	case noWholeHour:
		return "clocks were changed off the hour"
	case overlap:
		return "an hour was shown twice"
	case gap:
		return "an hour was skipped"
	}
	return ""
}
