package explain_test

import (
	"testing"
	"time"

	"carillon/internal/explain"
	"carillon/internal/when"
)

// now is the present of the tests: a Tuesday.
var now = time.Date(2026, 12, 1, 8, 30, 0, 0, time.UTC)

func TestRuleInWords(t *testing.T) {
	for _, c := range []struct{ schedule, want string }{
		// Intervals.
		{"@every 90s", "every 90 s"},
		{"@every 10m", "every 10 min"},
		{"@every 1h", "every 1 h"},
		{"@every 24h", "every 24 h"},
		{"@every 1h30m", "every 90 min"},
		{"@every 2h30m", "every 2 h 30 min"},
		{"@every 3661s", "every 1 h 1 min 1 s"},
		{"@every 300ms", "every 300 ms"},
		{"@every 1.5s", "every 1 s 500 ms"},
		{"@every 1.0000015s", "every 1 s 1 us 500 ns"},
		{"@every 0s", "at the same instant again"},

		// A few times of day.
		{"TZ=Europe/Berlin 0 0 9 * * MON-FRI", "every weekday at 09:00, Europe/Berlin"},
		{"CRON_TZ=Asia/Tokyo 0 0 9 * * *", "every day at 09:00, Asia/Tokyo"},
		{"0 0 9,17 * * *", "every day at 09:00 and 17:00, UTC"},
		{"0 */30 9-10 * * *", "every day at 09:00, 09:30, 10:00 and 10:30, UTC"},
		{"15 0 9 * * *", "every day at 09:00:15, UTC"},
		{"0 0 */4 * * *", "every day at 00:00, 04:00, 08:00, 12:00, 16:00 and 20:00, UTC"},

		// Descriptors.
		{"@hourly", "at minute 0 of every hour, UTC"},
		{"@daily", "every day at 00:00, UTC"},
		{"@midnight", "every day at 00:00, UTC"},
		{"@weekly", "every Sunday at 00:00, UTC"},
		{"@monthly", "on day 1 of every month at 00:00, UTC"},
		{"@yearly", "on day 1 of January at 00:00, UTC"},
		{"@annually", "on day 1 of January at 00:00, UTC"},
		{"TZ=Europe/Berlin @daily", "every day at 00:00, Europe/Berlin"},
		{"TZ=Local @daily", "every day at 00:00, UTC"},

		// Many times of day.
		{"* * * * * *", "every second, UTC"},
		{"0 * * * * *", "every minute, UTC"},
		{"30 * * * * *", "at second 30 of every minute of every hour, UTC"},
		{"*/10 * * * * *", "every 10 seconds by the clock, UTC"},
		{"0 */5 * * * *", "every 5 minutes by the clock, UTC"},
		{"0 */5 8-17 * * *", "every 5 minutes from 08:00 to 17:55, UTC"},
		{"0 * 8 * * *", "every minute from 08:00 to 08:59, UTC"},
		{"*/20 * 8-9 * * *", "every 20 seconds from 08:00:00 to 09:59:40, UTC"},
		{"0 0,30 8-17 * * MON-FRI", "at minute 0 and 30 of every hour from 8 to 17 on weekdays, UTC"},
		{"0 */7 * * * *", "at every 7th minute from 0 to 56 of every hour, UTC"},
		{"0 0 */2 * * *", "at minute 0 of every 2nd hour from 0 to 22, UTC"},
		{"0 * 8,12,17 * * *", "every minute of hour 8, 12 and 17, UTC"},
		{"* 0 * * * *", "every second of minute 0 of every hour, UTC"},
		{"0 0-9,30 * * * *", "at minute 0 to 9 and 30 of every hour, UTC"},

		// Dates.
		{"0 0 9 * * MON,FRI", "every Monday and Friday at 09:00, UTC"},
		{"0 0 9 * * 0,6", "every Saturday and Sunday at 09:00, UTC"},
		{"0 * * * * sat", "every minute on Saturdays, UTC"},
		{"0 0 9 1,15 * *", "on day 1 and 15 of every month at 09:00, UTC"},
		{"0 0 9 1-7 * ?", "on every day from 1 to 7 of every month at 09:00, UTC"},
		{"0 0 9 */2 * *", "on every 2nd day from 1 to 31 of every month at 09:00, UTC"},
		{"0 0 9 1 JAN,JUL *", "on day 1 of January and July at 09:00, UTC"},
		{"0 0 9 * DEC *", "every day in December at 09:00, UTC"},
		{"0 * * * 6-8 *", "every minute in June to August, UTC"},
		{"0 0 9 * 1 MON", "every Monday in January at 09:00, UTC"},

		// Both day fields: one of them is enough.
		{"0 0 9 13 * FRI", "at 09:00 on day 13 of every month as well as on Fridays, UTC"},
		{"0 0 9 13 3 FRI", "at 09:00 on day 13 of March as well as on Fridays in March, UTC"},
		{"0 0 9 1-31 * MON", "every day at 09:00, UTC"},
		{"0 0 9 */2 * 0-6", "every day at 09:00, UTC"},
		{"0 0 9 1-31 * *", "every day at 09:00, UTC"},

		// Too much for words.
		{"0 1,4,9,16,25,36,49 * * * *", "custom: 0 1,4,9,16,25,36,49 * * * *"},
		{"TZ=Europe/Berlin 0 0 9 1,3,6,10,15,21,28 * 1-5", "custom: TZ=Europe/Berlin 0 0 9 1,3,6,10,15,21,28 * 1-5"},
	} {
		rule, err := when.ParseRule(c.schedule)
		if err != nil {
			t.Errorf("%s: %v", c.schedule, err)
			continue
		}
		s := explain.Schedule{Plan: when.Plan{First: now, Rule: rule}}
		if got := s.Words(); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.schedule, got, c.want)
		}
	}
}

func TestPlanInWords(t *testing.T) {
	for _, c := range []struct {
		words when.Words
		want  string
	}{
		{when.Words{DueTime: new("2026-12-01T10:00:00+01:00")}, "once at 2026-12-01 09:00 UTC"},
		{when.Words{DueTime: new("90s")}, "once at 2026-12-01 08:31:30 UTC"},
		{when.Words{DueTime: new("PT1M"), Repeats: new(uint32(1))}, "once at 2026-12-01 08:31 UTC"},
		{when.Words{DueTime: new("1500ms")}, "once at 2026-12-01 08:30:01.5 UTC"},
		{when.Words{Schedule: new("@every 10m"), Repeats: new(uint32(5))}, "every 10 min, 5 times"},
		{when.Words{Schedule: new("@every 10m"), Repeats: new(uint32(1))}, "every 10 min, 1 time"},
		{when.Words{Schedule: new("@every 10m"), TTL: new("P1D")}, "every 10 min, until 2026-12-02 08:30 UTC"},
		{
			when.Words{Schedule: new("@every 10m"), DueTime: new("2027-01-01T00:00:00Z"), TTL: new("PT1H"), Repeats: new(uint32(5))},
			"first at 2027-01-01 00:00 UTC, then every 10 min, 5 times, until 2027-01-01 01:00 UTC",
		},
		{
			when.Words{Schedule: new("TZ=Europe/Berlin 0 0 9 * * *"), DueTime: new("0s")},
			"first at 2026-12-01 08:30 UTC, then every day at 09:00, Europe/Berlin",
		},
		{
			when.Words{Schedule: new("@every 0s"), DueTime: new("0s"), Repeats: new(uint32(3))},
			"first at 2026-12-01 08:30 UTC, then at the same instant again, 3 times",
		},
	} {
		if got := resolve(t, c.words).Words(); got != c.want {
			t.Errorf("\n got %s\nwant %s", got, c.want)
		}
	}
}

// resolve returns the schedule of valid words as of now.
func resolve(t *testing.T, w when.Words) explain.Schedule {
	t.Helper()
	p, err := w.Resolve(now)
	if err != nil {
		t.Fatal(err)
	}
	return explain.Schedule{Plan: p, HasDueTime: w.DueTime != nil}
}
