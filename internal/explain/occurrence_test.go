package explain_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/explain"
	"carillon/internal/when"
)

func TestUpcomingShowsClockChanges(t *testing.T) {
	for _, c := range []struct {
		name, schedule, from string
		want                 []string
	}{
		{"each day at nine", "TZ=Europe/Berlin 0 0 9 * * *", "2027-03-26T12:00:00Z", []string{
			"2027-03-27T08:00:00Z = 09:00 +01:00",
			"2027-03-28T07:00:00Z = 09:00 +02:00 clock-changed: in Europe/Berlin the clock goes forward from 2027-03-28 02:00 to 03:00",
			"2027-03-29T07:00:00Z = 09:00 +02:00",
		}},
		{"a time that the clock skips", "TZ=Europe/Berlin 0 30 2 * * *", "2027-03-27T00:00:00Z", []string{
			"2027-03-27T01:30:00Z = 02:30 +01:00",
			"2027-03-29T00:30:00Z = 02:30 +02:00 clock-changed: in Europe/Berlin the clock goes forward from 2027-03-28 02:00 to 03:00" +
				" skipped: in Europe/Berlin the clock goes forward from 2027-03-28 02:00 to 03:00: the occurrence at 2027-03-28 02:30 is skipped",
		}},
		{"a time that is skipped before the first occurrence", "TZ=Europe/Berlin 0 30 2 * * *", "2027-03-27T12:00:00Z", []string{
			"2027-03-29T00:30:00Z = 02:30 +02:00 clock-changed: in Europe/Berlin the clock goes forward from 2027-03-28 02:00 to 03:00" +
				" skipped: in Europe/Berlin the clock goes forward from 2027-03-28 02:00 to 03:00: the occurrence at 2027-03-28 02:30 is skipped",
		}},
		{"a time that the clock shows twice", "TZ=Europe/Berlin 0 30 2 * * *", "2027-10-30T12:00:00Z", []string{
			"2027-10-31T00:30:00Z = 02:30 +02:00 repeated: in Europe/Berlin the clock goes back from 2027-10-31 03:00 to 02:00: this occurrence is the first of two at this time",
			"2027-10-31T01:30:00Z = 02:30 +01:00 clock-changed: in Europe/Berlin the clock goes back from 2027-10-31 03:00 to 02:00" +
				" repeated: in Europe/Berlin the clock goes back from 2027-10-31 03:00 to 02:00: this occurrence is the second of two at this time",
			"2027-11-01T01:30:00Z = 02:30 +01:00",
		}},
		{"each hour: nothing is skipped", "TZ=Europe/Berlin @hourly", "2027-03-28T00:30:00Z", []string{
			"2027-03-28T01:00:00Z = 03:00 +02:00 clock-changed: in Europe/Berlin the clock goes forward from 2027-03-28 02:00 to 03:00",
			"2027-03-28T02:00:00Z = 04:00 +02:00",
		}},
		{"each hour where the clock goes forward by half an hour", "TZ=Australia/Lord_Howe @hourly", "2027-10-02T15:00:00Z", []string{
			"2027-10-02T16:00:00Z = 03:00 +11:00 clock-changed: in Australia/Lord_Howe the clock goes forward from 2027-10-03 02:00 to 02:30" +
				" skipped: in Australia/Lord_Howe the clock goes forward from 2027-10-03 02:00 to 02:30: the occurrence at 2027-10-03 02:00 is skipped",
		}},
		{"a whole day is skipped", "TZ=Pacific/Apia 0 0 9,17 * * *", "2011-12-30T09:00:00Z", []string{
			"2011-12-30T19:00:00Z = 09:00 +14:00 clock-changed: in Pacific/Apia the clock goes forward from 2011-12-30 00:00 to 2011-12-31 00:00" +
				" skipped: in Pacific/Apia the clock goes forward from 2011-12-30 00:00 to 2011-12-31 00:00: the occurrences between are skipped, the first at 2011-12-30 09:00",
		}},
		{"once a year: both changes lie between", "TZ=Europe/Berlin @yearly", "2027-01-01T12:00:00Z", []string{
			"2027-12-31T23:00:00Z = 00:00 +01:00",
			"2028-12-31T23:00:00Z = 00:00 +01:00",
		}},
		{"an interval knows no clock", "@every 24h", "2027-03-27T12:00:00Z", []string{
			"2027-03-28T12:00:00Z = 12:00 Z",
			"2027-03-29T12:00:00Z = 12:00 Z",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, err := time.Parse(time.RFC3339, c.from)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := when.Words{Schedule: &c.schedule}.Resolve(from)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range (explain.Schedule{Plan: plan}).Upcoming(0, from, len(c.want)) {
				got = append(got, show(o))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("upcoming (-want +got):\n%s", diff)
			}
		})
	}
}

// show returns an occurrence as text: its instant, its time in its zone, and its notes.
func show(o explain.Occurrence) string {
	text := o.Due.Format(time.RFC3339) + " = " + o.Local.Format("15:04 Z07:00")
	for _, n := range o.Notes {
		text += fmt.Sprintf(" %s: %s", n.Kind, n.Sentence)
	}
	return text
}

func TestUpcomingFollowsThePlan(t *testing.T) {
	s := resolve(t, when.Words{Schedule: new("@every 1h"), DueTime: new("10m"), Repeats: new(uint32(4)), TTL: new("24h")})
	if got := minutes(s.Upcoming(0, time.Time{}, 10)); got != "10 70 130 190" {
		t.Errorf("minutes of a new job: %s", got)
	}
	if got := minutes(s.Upcoming(2, now.Add(70*time.Minute), 10)); got != "130 190" {
		t.Errorf("minutes after two occurrences: %s", got)
	}
	if got := minutes(resolve(t, when.Words{Schedule: new("@every 1h"), TTL: new("130m")}).Upcoming(0, now, 10)); got != "60 120" {
		t.Errorf("minutes until the end: %s", got)
	}
	if got := minutes(resolve(t, when.Words{DueTime: new("10m")}).Upcoming(0, now, 10)); got != "10" {
		t.Errorf("minutes of a due time alone: %s", got)
	}
}

// minutes returns the minutes from now until each occurrence.
func minutes(all []explain.Occurrence) string {
	var texts []string
	for _, o := range all {
		texts = append(texts, fmt.Sprint(o.Due.Sub(now).Minutes()))
	}
	return strings.Join(texts, " ")
}

func TestUpcomingIsBounded(t *testing.T) {
	s := resolve(t, when.Words{Schedule: new("TZ=Europe/Berlin 0 30 2 29 2 *")})
	for n, want := range map[int]int{-1: 0, 0: 0, 1: 1, 1 << 40: explain.MaxUpcoming} {
		if got := len(s.Upcoming(0, now, n)); got != want {
			t.Errorf("%d occurrences of %d, want %d", got, n, want)
		}
	}
}

// A due time is no occurrence of the rule: no clock change skips or repeats it.
func TestDueTimeHasNoNotes(t *testing.T) {
	for _, due := range []string{"2027-06-01T00:00:00Z", "2027-10-31T00:30:00Z"} {
		s := resolve(t, when.Words{Schedule: new("TZ=Europe/Berlin 0 30 2 * * *"), DueTime: &due})
		if all := s.Upcoming(0, now, 1); len(all) != 1 || all[0].Notes != nil {
			t.Errorf("due at %s: %v", due, all)
		}
	}
}
