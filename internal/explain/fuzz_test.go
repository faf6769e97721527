package explain_test

import (
	"testing"
	"time"

	"carillon/internal/explain"
	"carillon/internal/when"
)

// Whatever the schedule says, its words mean what it means, and its occurrences are those of the rule,
// and its warnings are short.
func FuzzExplain(f *testing.F) {
	for _, schedule := range []string{
		"TZ=Europe/Berlin 0 30 2 * * MON-FRI", "* * * * * *", "*/7,3-9/2 +5 0-23 1,15 jan-DEC/3 mon", "0 0 9 13 * FRI", "0 0 9 1-31 * MON",
		"0 */5 8-17 * * *", "@daily", "CRON_TZ=Australia/Lord_Howe @hourly", "@every 90s", "@every 0s", "@every 1h1ns", "TZ=EST 0 0 9 31 * *",
	} {
		f.Add(schedule, int64(1_800_000_000))
	}
	f.Fuzz(func(t *testing.T, schedule string, seconds int64) {
		rule, err := when.ParseRule(schedule)
		if err != nil {
			return
		}
		checkWords(t, schedule, rule)
		last := when.Clamp(time.Unix(seconds, 0))
		first, _ := rule.Next(last)
		checkWarnings(t, schedule, explain.Schedule{Plan: when.Plan{First: first, Rule: rule}}.Warnings(last))
		for _, o := range (explain.Schedule{Plan: when.Plan{Rule: rule}}).Upcoming(1, last, 5) {
			due, ok := rule.Next(last)
			if !ok || !o.Due.Equal(due) || !o.Local.Equal(due) || len(o.Notes) > explain.MaxClockNotes {
				t.Fatalf("%s after %v: %+v, want %v", schedule, last, o, due)
			}
			last = due
		}
	})
}
