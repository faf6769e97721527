package when_test

import (
	"testing"
	"time"

	"carillon/internal/when"
)

// now is the instant at which words are resolved: a leap day, with nanoseconds.
var now = time.Date(2024, 1, 31, 10, 20, 30, 456_789_000, time.UTC)

func TestDueTimeHasThreeFormats(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Time{
		// RFC 3339: an instant.
		"2030-02-28T12:34:56Z":                time.Date(2030, 2, 28, 12, 34, 56, 0, time.UTC),
		"2030-02-28T12:34:56.5Z":              time.Date(2030, 2, 28, 12, 34, 56, 500_000_000, time.UTC),
		"2030-02-28T12:34:56,5Z":              time.Date(2030, 2, 28, 12, 34, 56, 500_000_000, time.UTC),
		"2030-02-28T12:34:56.123456789+05:45": time.Date(2030, 2, 28, 6, 49, 56, 123_456_789, time.UTC),
		"2030-02-28T23:34:56-03:30":           time.Date(2030, 3, 1, 3, 4, 56, 0, time.UTC),
		"1999-12-31T23:59:59Z":                time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC),
		"1930-01-01T00:00:00Z":                time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC),
		"2262-04-11T23:47:16.854775808Z":      time.Date(2262, 4, 11, 23, 47, 16, 854_775_808, time.UTC),
		"9999-12-31T23:59:59.999999999Z":      time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		"9999-12-31T23:59:59.5-14:00":         time.Date(10000, 1, 1, 13, 59, 59, 500_000_000, time.UTC),
		"1677-09-21T00:12:43Z":                time.Date(1677, 9, 21, 0, 12, 43, 0, time.UTC),
		"0001-01-01T00:00:00Z":                {},
		"0001-01-01T00:00:00.000000001Z":      time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC),
		"0000-01-01T00:00:00+14:00":           time.Date(-1, 12, 31, 10, 0, 0, 0, time.UTC),

		// Go durations: from now.
		"0":          now,
		"0s":         now,
		"1h30m":      now.Add(90 * time.Minute),
		"1.5s":       now.Add(1500 * time.Millisecond),
		"500ms":      now.Add(500 * time.Millisecond),
		"1us":        now.Add(time.Microsecond),
		"1µs":        now.Add(time.Microsecond),
		"7ns":        now.Add(7),
		"0h0m9s0ms":  now.Add(9 * time.Second),
		"+3s":        now.Add(3 * time.Second),
		"-5s":        now.Add(-5 * time.Second),
		"876000h":    now.Add(36500 * day),
		"2300000h":   now.Add(2300000 * time.Hour),
		"-2300000h":  now.Add(-2300000 * time.Hour),
		"-10000h30m": now.Add(-10000*time.Hour - 30*time.Minute),

		// ISO 8601 durations: by the calendar, then by the clock.
		"PT5S":                    now.Add(5 * time.Second),
		"PT1H2M3S":                now.Add(time.Hour + 2*time.Minute + 3*time.Second),
		"PT3S2M1H":                now.Add(time.Hour + 2*time.Minute + 3*time.Second),
		"P1D":                     now.Add(day),
		"P2W":                     now.Add(14 * day),
		"P1W1D":                   now.Add(8 * day),
		"P1M":                     time.Date(2024, 3, 2, 10, 20, 30, 456_789_000, time.UTC), // February 31
		"P1Y":                     time.Date(2025, 1, 31, 10, 20, 30, 456_789_000, time.UTC),
		"P1Y1M":                   time.Date(2025, 3, 3, 10, 20, 30, 456_789_000, time.UTC),
		"P1Y2M3W4DT5H6M7S":        time.Date(2025, 4, 25, 15, 26, 37, 456_789_000, time.UTC),
		"P4D3W2M1YT5H6M7S":        time.Date(2025, 4, 25, 15, 26, 37, 456_789_000, time.UTC),
		"P0D":                     now,
		"PT0S":                    now,
		"PT":                      now,
		"P1DT":                    now.Add(day),
		"P-1D":                    now.Add(-day),
		"P1DT-1H":                 now.Add(23 * time.Hour),
		"P+1D":                    now.Add(day),
		"P007D":                   now.Add(7 * day),
		"P1D1D":                   now.Add(2 * day),
		"Pxx":                     now,
		"P1Dxx":                   now.Add(day),
		"PT1M30":                  now.Add(time.Minute),
		"R0/PT1M":                 now.Add(time.Minute),
		"R-1/PT1M":                now.Add(time.Minute),
		"PT4294967296S":           now.Add(4294967296 * time.Second),
		"P300Y":                   now.AddDate(300, 0, 0),
		"P-2023Y":                 now.AddDate(-2023, 0, 0),
		"P7975Y":                  now.AddDate(7975, 0, 0),
		"P-2024Y":                 now.AddDate(-2024, 0, 0),
		"P2000M":                  now.AddDate(0, 2000, 0),
		"P80000D":                 now.AddDate(0, 0, 80000),
		"R-99999999999999999/P1D": now.Add(day),
	} {
		got, err := when.Words{DueTime: &text}.Resolve(now)
		if want := (when.Plan{First: want}); err != nil || got != want {
			t.Errorf("due time %q = %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestInvalidDueTimeIsRefused(t *testing.T) {
	const (
		format     = "due time format not recognized"
		repeats    = "repeats not supported for due time"
		outOfRange = "due time is out of range: it must lie in the years 0 to 9999"
	)
	for text, want := range map[string]string{
		"":                                    format,
		" ":                                   format,
		"tomorrow":                            format,
		"5":                                   format,
		"1d":                                  format,
		"1 h":                                 format,
		" 1h":                                 format,
		"3000000h":                            format, // more than a Go duration holds
		"2030-02-28":                          format,
		"2030-02-28T12:34:56":                 format,
		"2030-02-28t12:34:56Z":                format,
		"2030-02-28T12:34:56z":                format,
		"2030-02-28 12:34:56Z":                format,
		"2030-02-30T12:34:56Z":                format,
		"2030-02-28T12:34:60Z":                format,
		"2030-02-28T24:00:00Z":                format,
		"P":                                   format,
		"p1d":                                 format,
		"PD":                                  format,
		"P1.5D":                               format,
		"PT1,5S":                              format,
		"P1H":                                 format, // an hour is of the clock: it comes after a T
		"P1S":                                 format,
		"PT1D":                                format,
		"PT1Y":                                format,
		"PT1W":                                format,
		"P1T1H":                               format,
		"PT1HT1M":                             format,
		"P 1D":                                format,
		"R5":                                  format,
		"R/PT1M":                              format,
		"Rx/PT1M":                             format,
		"R5/":                                 format,
		"R5/1m":                               format,
		"R0/P":                                format,
		"R1/PT1M":                             repeats,
		"R5/P1D":                              repeats,
		"R99999999999999999999/P1D":           repeats,
		"10000-01-01T00:00:00Z":               format,
		"-0001-01-01T00:00:00Z":               format,
		"P7976Y":                              outOfRange, // the year 10000
		"P-2025Y":                             outOfRange, // the year -1
		"P-2026Y":                             outOfRange,
		"P99999999999999999999Y":              outOfRange,
		"P9223372036854775807M":               outOfRange,
		"P9223372036854775807W":               outOfRange,
		"P-9223372036854775808D":              outOfRange,
		"PT9223372036854775807H":              outOfRange,
		"PT9223372036854775807M":              outOfRange,
		"PT9223372036854775807S":              outOfRange,
		"P2400Y2400Y2400Y2400YT5270400H8000S": outOfRange,
	} {
		got, err := when.Words{DueTime: &text}.Resolve(now)
		refused(t, "due time "+text, got, err, "due_time", want)
	}
}

func TestTTLCountsFromDueTimeOrNow(t *testing.T) {
	schedule, due := "@every 1h", "2030-01-01T00:00:00Z"
	first := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	least, most := time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10000, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	last := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	for text, want := range map[string]struct{ alone, due time.Time }{
		"2030-01-01T00:00:00Z": {first, first},
		"2031-06-01T00:00:00Z": {time.Date(2031, 6, 1, 0, 0, 0, 0, time.UTC), time.Date(2031, 6, 1, 0, 0, 0, 0, time.UTC)},
		"0":                    {now, first},
		"3s":                   {now.Add(3 * time.Second), first.Add(3 * time.Second)},
		"P1M":                  {time.Date(2024, 3, 2, 10, 20, 30, 456_789_000, time.UTC), time.Date(2030, 2, 1, 0, 0, 0, 0, time.UTC)},
		"R0/PT1M":              {now.Add(time.Minute), first.Add(time.Minute)},
		"9999-12-31T23:59:59Z": {last, last},
		"P5000Y":               {now.AddDate(5000, 0, 0), first.AddDate(5000, 0, 0)},
		"P9000Y":               {most, most},
		"1999-01-01T00:00:00Z": {alone: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)},
		"-1s":                  {alone: now.Add(-time.Second)},
		"P-5000Y":              {alone: least},
		"0001-01-01T00:00:00Z": {alone: time.Time{}.Add(1)}, // the zero time says that there is no end
		"0000-12-31T00:00:00Z": {alone: time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC)},
	} {
		got, err := when.Words{Schedule: &schedule, TTL: &text}.Resolve(now)
		if plan := (when.Plan{First: now.Add(time.Hour), Until: want.alone, Rule: when.Every(time.Hour)}); err != nil || got != plan {
			t.Errorf("ttl %q alone = %v, %v, want %v", text, got, err, plan)
		}
		got, err = when.Words{Schedule: &schedule, DueTime: &due, TTL: &text}.Resolve(now)
		if want.due.IsZero() {
			refused(t, "ttl "+text, got, err, "ttl", "ttl must be greater than due time")
		} else if plan := (when.Plan{First: first, Until: want.due, Rule: when.Every(time.Hour)}); err != nil || got != plan {
			t.Errorf("ttl %q with a due time = %v, %v, want %v", text, got, err, plan)
		}
	}
}

func TestInvalidTTLIsRefused(t *testing.T) {
	schedule := "@every 1h"
	for _, text := range []string{"", " ", "forever", "1d", "P", "p1d", "P1.5D", "P1H", "R1/PT1M", "R5", "3000000h", "2030-01-01T00:00:00"} {
		got, err := when.Words{Schedule: &schedule, TTL: &text}.Resolve(now)
		refused(t, "ttl "+text, got, err, "ttl", "ttl format not recognized")
	}
}
