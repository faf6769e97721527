package explain_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"carillon/internal/explain"
	"carillon/internal/when"
)

// Around clock changes, notes say exactly what a search through all wall-clock times finds.
func TestNotesAgreeWithSearch(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	found := map[explain.ClockNoteKind]int{}
	for range 2_000 {
		zone := pick(r, "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia")
		fields := randomFields(r)
		if r.IntN(3) > 0 { // each day, and often
			fields = likelyField(r, 0) + " " + likelyField(r, 1) + " " + pick(r, "*", "*/2", "0-3", "2", "23") + " * * *"
		}
		schedule := "TZ=" + zone + " " + fields
		rule, err := when.ParseRule(schedule)
		if err != nil {
			continue
		}
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		_, change := time.Date(pick(r, 2011, 2024, 2027), time.Month(1+r.IntN(12)), 1, 0, 0, 0, 0, loc).ZoneBounds()
		if change.IsZero() { // no more
			continue
		}
		last := change.UTC().Add(-time.Duration(r.IntN(6*3600)) * time.Second)
		s := explain.Schedule{Plan: when.Plan{Rule: rule}}
		for _, o := range s.Upcoming(1, last, 4) {
			if o.Due.Sub(last) > 7*24*time.Hour {
				break // too far to search
			}
			got := map[explain.ClockNoteKind]bool{}
			for _, n := range o.Notes {
				got[n.Kind] = true
				found[n.Kind]++
			}
			want := searchNotes(meaningOf(rule), loc, last, o.Due)
			if got[explain.ClockChanged] != want[explain.ClockChanged] || got[explain.Skipped] != want[explain.Skipped] || got[explain.Repeated] != want[explain.Repeated] {
				t.Fatalf("%s after %v: notes %v, want %v", schedule, last, o.Notes, want)
			}
			last = o.Due
		}
	}
	for _, kind := range []explain.ClockNoteKind{explain.ClockChanged, explain.Skipped, explain.Repeated} {
		if found[kind] < 50 {
			t.Errorf("only %d notes are %s", found[kind], kind)
		}
	}
}

// searchNotes returns the kinds of notes about an occurrence, by a search through the time around it.
func searchNotes(m *meaning, zone *time.Location, last, due time.Time) map[explain.ClockNoteKind]bool {
	kinds := map[explain.ClockNoteKind]bool{explain.ClockChanged: offset(last, zone) != offset(due, zone)}
	const step = 15 * time.Minute // clocks change at multiples of it
	for t := last.Truncate(step).Add(-27 * time.Hour); t.Before(due.Add(27 * time.Hour)); t = t.Add(step) {
		before, after := offset(t, zone), offset(t.Add(step), zone)
		by := time.Duration(after-before) * time.Second
		at := t.Add(step)
		switch {
		case by == 0 || m.steady(by):
		case by > 0 && at.After(last) && !at.After(due):
			for s := range int(by / time.Second) {
				kinds[explain.Skipped] = kinds[explain.Skipped] || m.matches(at.Add(time.Duration(before+s)*time.Second))
			}
		case by < 0 && !due.Before(at.Add(by)) && due.Before(at.Add(-by)):
			kinds[explain.Repeated] = true
		}
	}
	return kinds
}

func offset(t time.Time, zone *time.Location) int {
	_, seconds := t.In(zone).Zone()
	return seconds
}

// matches reports whether the rule matches a wall-clock time, as if that were in UTC.
func (m *meaning) matches(wall time.Time) bool {
	return m.clock[wall.Hour()][wall.Minute()]>>wall.Second()&1 != 0 && m.dates[wall.Month()][wall.Day()]>>wall.Weekday()&1 != 0
}

// steady reports whether each hour, or each minute, is like the others, and the clock changes by whole
// ones.
func (m *meaning) steady(by time.Duration) bool {
	hours, minutes := true, true
	for h := range m.clock {
		hours = hours && m.clock[h] == m.clock[0]
		for _, seconds := range m.clock[h] {
			minutes = minutes && seconds == m.clock[0][0]
		}
	}
	return hours && by%time.Hour == 0 || minutes && by%time.Minute == 0
}
