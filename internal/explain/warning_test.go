package explain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/explain"
	"carillon/internal/when"
)

// Each line has a schedule and its warnings as of 2026-12-01 08:30 UTC: none if it surprises nobody.
func TestScheduleHasWarnings(t *testing.T) {
	for _, c := range []struct {
		schedule string
		want     []string
	}{
		{"0 0 9 * * MON-FRI", nil},
		{"TZ=Europe/Berlin 0 0 9 * * *", nil},
		{"@every 1s", nil},
		{"* * * * * *", nil},

		// How often, and when first.
		{"@every 300ms", []string{"over-once-a-second: every 300 ms is more often than once a second"}},
		{"@every 0s", []string{"over-once-a-second: the interval is zero: all occurrences are due at one instant"}},
		{"0 0 0 29 2 *", []string{
			"due-in-over-a-year: the job is first due at 2028-02-29 00:00 UTC, in more than a year",
			"day-skips-months: there is no day 29 in February except in leap years: the schedule skips it there",
		}},
		{"@every 8761h", []string{"due-in-over-a-year: the job is first due at 2027-12-01 09:30 UTC, in more than a year"}},
		{"@every 8760h", nil},

		// Clock changes.
		{"TZ=Europe/Berlin 0 30 2 * * *", []string{
			"clock-skips: in Europe/Berlin the clock goes forward from 2027-03-28 02:00 to 03:00: the occurrence at 2027-03-28 02:30 is skipped",
			"clock-repeats: in Europe/Berlin the clock goes back from 2027-10-31 03:00 to 02:00: the occurrence at 2027-10-31 02:30 comes twice",
		}},
		{"TZ=Europe/Berlin 0 */10 0-5 * * *", []string{
			"clock-skips: in Europe/Berlin the clock goes forward from 2027-03-28 02:00 to 03:00: the occurrences between are skipped, the first at 2027-03-28 02:00",
			"clock-repeats: in Europe/Berlin the clock goes back from 2027-10-31 03:00 to 02:00: the occurrences between come twice, the first at 2027-10-31 02:00",
		}},
		{"TZ=Africa/Cairo 0 0 0 * * *", []string{
			"clock-skips: in Africa/Cairo the clock goes forward from 2027-04-30 00:00 to 01:00: the occurrence at 2027-04-30 00:00 is skipped",
		}},
		{"TZ=Africa/Cairo 0 30 23 * * *", []string{
			"clock-repeats: in Africa/Cairo the clock goes back from 2027-10-29 00:00 to 2027-10-28 23:00: the occurrence at 2027-10-28 23:30 comes twice",
		}},
		{"TZ=Europe/Berlin 0 0,30 * * * *", nil},
		{"TZ=Australia/Lord_Howe 0 0,30 * * * *", []string{
			"clock-repeats: in Australia/Lord_Howe the clock goes back from 2027-04-04 02:00 to 01:30: the occurrence at 2027-04-04 01:30 comes twice",
			"clock-skips: in Australia/Lord_Howe the clock goes forward from 2027-10-03 02:00 to 02:30: the occurrence at 2027-10-03 02:00 is skipped",
		}},
		{"TZ=Australia/Lord_Howe 0 * * * * *", nil},
		{"TZ=Asia/Kolkata 0 30 2 * * *", nil},

		// Days.
		{"0 0 0 31 * *", []string{"day-skips-months: there is no day 31 in February, April, June, September and November: the schedule skips it there"}},
		{"0 0 0 1,30 * *", []string{"day-skips-months: there is no day 30 in February: the schedule skips it there"}},
		{"0 0 0 28,31 1,4 *", []string{"day-skips-months: there is no day 31 in April: the schedule skips it there"}},
		{"0 0 0 31 JAN,DEC *", nil},
		{"0 0 0 15-31 * *", nil},
		{"0 0 0 28-31 * *", nil},
		{"0 0 0 13 * FRI", []string{"either-day-matches: both day fields are restricted, and one is enough: the job is due on day 13 as well as on Fridays, not only where both match"}},
		{"0 0 0 1,3,6,10,15,21,28 * 1-5", []string{"either-day-matches: both day fields are restricted, and one is enough: the job is due on the days of the month as well as on weekdays, not only where both match"}},
		{"0 0 0 1-31 * MON", []string{"either-day-matches: both day fields are restricted, and one is enough: because one of them allows every day, the job is due every day"}},

		// Steps.
		{"0 */7 * * * *", []string{"uneven-step: the step of 7 minutes starts again at minute 0 in each hour, after minute 56: not all distances are 7 minutes"}},
		{"0 */45 * * * *", []string{"uneven-step: the step of 45 minutes starts again at minute 0 in each hour, after minute 45: not all distances are 45 minutes"}},
		{"*/25 * * * * *", []string{"uneven-step: the step of 25 seconds starts again at second 0 in each minute, after second 50: not all distances are 25 seconds"}},
		{"0 0 3/5 * * *", []string{"uneven-step: the step of 5 hours starts again at hour 3 in each day, after hour 23: not all distances are 5 hours"}},
		{"0 0 0 */10 * *", []string{
			"day-skips-months: there is no day 31 in February, April, June, September and November: the schedule skips it there",
			"uneven-step: the step of 10 days starts again at day 1 in each month, after day 31: not all distances are 10 days",
		}},
		{"0 0 0 1 */5 *", []string{"uneven-step: the step of 5 months starts again at month 1 in each year, after month 11: not all distances are 5 months"}},
		{"0 */7 9 * * *", nil}, // in one hour a day
		{"0 */15 * * * *", nil},
		{"0 0 0,13 * * *", nil},
		{"0 0 8,12,16 * * *", nil},
		{"0 0 0 * * MON,WED,FRI", nil},

		// Names of zones.
		{"TZ=Asia/Calcutta @daily", []string{"unusual-zone-name: the zone Asia/Calcutta is another name of Asia/Kolkata: write that"}},
		{"TZ=US/Arizona @daily", []string{"unusual-zone-name: the zone US/Arizona is another name of America/Phoenix: write that"}},
		{"TZ=Japan @daily", []string{"unusual-zone-name: the zone Japan is another name of Asia/Tokyo: write that"}},
		{"TZ=EST @daily", []string{"unusual-zone-name: the zone EST is an abbreviation, UTC-05:00 all year: name a city, such as Europe/Berlin"}},
		{"TZ=CET @daily", []string{"unusual-zone-name: the zone CET is an abbreviation, UTC+01:00 and UTC+02:00 by turns: name a city, such as Europe/Berlin"}},
		{"TZ=GMT @daily", []string{"unusual-zone-name: the zone GMT is UTC in summer, too: for the clock of London, write Europe/London"}},
		{"TZ=Etc/GMT+5 @daily", []string{"unusual-zone-name: the sign in Etc/GMT+5 is inverted: it is UTC-05:00"}},
		{"TZ=UTC @daily", nil},
		{"TZ=Etc/UTC @daily", nil},
		{"TZ=Zulu @daily", nil},
		{"TZ=America/Argentina/Buenos_Aires @daily", nil},
	} {
		rule, err := when.ParseRule(c.schedule)
		if err != nil {
			t.Errorf("%s: %v", c.schedule, err)
			continue
		}
		first, _ := rule.Next(now)
		got := texts(explain.Schedule{Plan: when.Plan{First: first, Rule: rule}}.Warnings(now))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.schedule, diff)
		}
	}
}

func TestPlanHasWarnings(t *testing.T) {
	for _, c := range []struct {
		words when.Words
		want  []string
	}{
		{when.Words{DueTime: new("10m")}, nil},
		{when.Words{DueTime: new("0s")}, nil},
		{when.Words{DueTime: new("2026-12-01T08:00:00Z")}, []string{"due-in-past: the due time 2026-12-01 08:00 UTC has passed: the job is due at once"}},
		{
			when.Words{DueTime: new("2026-12-01T08:00:00Z"), Schedule: new("@every 10m")},
			[]string{"due-in-past: the due time 2026-12-01 08:00 UTC has passed: the job is due at once, and once more for each instant of the schedule since then"},
		},
		{
			when.Words{DueTime: new("2026-12-01T08:00:00Z"), Schedule: new("@every 10h")},
			[]string{"due-in-past: the due time 2026-12-01 08:00 UTC has passed: the job is due at once"},
		},
		{when.Words{DueTime: new("2028-01-01T00:00:00Z")}, []string{"due-in-over-a-year: the job is first due at 2028-01-01 00:00 UTC, in more than a year"}},
		{
			when.Words{Schedule: new("@daily"), TTL: new("1h")},
			[]string{"ends-before-first: the job ends at 2026-12-01 09:30 UTC, before it is first due at 2026-12-02 00:00 UTC: it never runs"},
		},
		{when.Words{DueTime: new("10m"), Schedule: new("@every 1ms"), Repeats: new(uint32(1))}, nil},
		// Clock changes count from the due time on, and until the end.
		{
			when.Words{Schedule: new("TZ=Europe/Berlin 0 30 2 * * *"), DueTime: new("2027-06-01T00:00:00Z")},
			[]string{"clock-repeats: in Europe/Berlin the clock goes back from 2027-10-31 03:00 to 02:00: the occurrence at 2027-10-31 02:30 comes twice"},
		},
		{when.Words{Schedule: new("TZ=Europe/Berlin 0 30 2 * * *"), TTL: new("240h")}, nil},
	} {
		if diff := cmp.Diff(c.want, texts(resolve(t, c.words).Warnings(now))); diff != "" {
			t.Errorf("warnings (-want +got):\n%s", diff)
		}
	}
	never := explain.Schedule{Plan: when.Plan{First: time.Date(20_000, 1, 1, 0, 0, 0, 0, time.UTC)}}
	if diff := cmp.Diff([]string{"never-due: the job is never due"}, texts(never.Warnings(now))); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// texts returns each warning as its code and sentence.
func texts(all []explain.Warning) (texts []string) {
	for _, w := range all {
		texts = append(texts, string(w.Code)+": "+w.Sentence)
	}
	return texts
}

// checkWarnings fails unless warnings are few and short, and in ASCII as they may be in a header.
func checkWarnings(t *testing.T, schedule string, all []explain.Warning) {
	t.Helper()
	if len(all) > 12 {
		t.Errorf("%s has %d warnings", schedule, len(all))
	}
	for _, w := range all {
		if strings.ContainsFunc(w.Sentence, func(r rune) bool { return r < ' ' || r > '~' }) || len(w.Sentence) > 1000 {
			t.Errorf("%s has the warning %q", schedule, w.Sentence)
		}
	}
}
