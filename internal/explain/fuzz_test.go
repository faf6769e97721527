package explain_test

import (
	"testing"

	"carillon/internal/when"
)

// Whatever the schedule says, its words mean what it means.
func FuzzExplain(f *testing.F) {
	for _, schedule := range []string{
		"TZ=Europe/Berlin 0 30 2 * * MON-FRI", "* * * * * *", "*/7,3-9/2 +5 0-23 1,15 jan-DEC/3 mon", "0 0 9 13 * FRI", "0 0 9 1-31 * MON",
		"0 */5 8-17 * * *", "@daily", "CRON_TZ=Australia/Lord_Howe @hourly", "@every 90s", "@every 0s", "@every 1h1ns", "TZ=EST 0 0 9 31 * *",
	} {
		f.Add(schedule)
	}
	f.Fuzz(func(t *testing.T, schedule string) {
		rule, err := when.ParseRule(schedule)
		if err != nil {
			return
		}
		checkWords(t, schedule, rule)
	})
}
