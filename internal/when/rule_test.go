package when_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/when"
)

// instants returns the first n instants of a schedule after one, in the zone
// of that one and in RFC 3339.
func instants(t *testing.T, schedule, after string, n int) []string {
	t.Helper()
	rule, err := when.ParseRule(schedule)
	if err != nil {
		t.Fatalf("ParseRule(%q): %v", schedule, err)
	}
	last, err := time.Parse(time.RFC3339, after)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for range n {
		next, ok := rule.Next(last)
		if !ok {
			return append(got, "none")
		}
		got = append(got, next.Format(time.RFC3339Nano))
		last = next
	}
	return got
}

// Each line names a schedule and its first instants after the start of 2024,
// a leap year that began on a Monday.
func TestFieldsMatchInstants(t *testing.T) {
	for _, c := range []struct {
		schedule string
		want     []string
	}{
		// Every second, and one value of each field.
		{"* * * * * *", []string{"2024-01-01T00:00:01Z", "2024-01-01T00:00:02Z"}},
		{"? ? ? ? ? ?", []string{"2024-01-01T00:00:01Z", "2024-01-01T00:00:02Z"}},
		{"7 * * * * *", []string{"2024-01-01T00:00:07Z", "2024-01-01T00:01:07Z"}},
		{"0 7 * * * *", []string{"2024-01-01T00:07:00Z", "2024-01-01T01:07:00Z"}},
		{"0 0 7 * * *", []string{"2024-01-01T07:00:00Z", "2024-01-02T07:00:00Z"}},
		{"0 0 0 7 * *", []string{"2024-01-07T00:00:00Z", "2024-02-07T00:00:00Z"}},
		{"0 0 0 1 7 *", []string{"2024-07-01T00:00:00Z", "2025-07-01T00:00:00Z"}},
		{"0 0 0 * * 6", []string{"2024-01-06T00:00:00Z", "2024-01-13T00:00:00Z"}},
		{"0 0 0 * * 0", []string{"2024-01-07T00:00:00Z", "2024-01-14T00:00:00Z"}},
		{"59 59 23 31 12 *", []string{"2024-12-31T23:59:59Z", "2025-12-31T23:59:59Z"}},

		// Lists, ranges and steps.
		{"5,50 * * * * *", []string{"2024-01-01T00:00:05Z", "2024-01-01T00:00:50Z", "2024-01-01T00:01:05Z"}},
		{"10-12 * * * * *", []string{"2024-01-01T00:00:10Z", "2024-01-01T00:00:11Z", "2024-01-01T00:00:12Z", "2024-01-01T00:01:10Z"}},
		{"10-10 * * * * *", []string{"2024-01-01T00:00:10Z", "2024-01-01T00:01:10Z"}},
		{"*/20 * * * * *", []string{"2024-01-01T00:00:20Z", "2024-01-01T00:00:40Z", "2024-01-01T00:01:00Z"}},
		{"?/20 * * * * *", []string{"2024-01-01T00:00:20Z", "2024-01-01T00:00:40Z", "2024-01-01T00:01:00Z"}},
		{"*/25 * * * * *", []string{"2024-01-01T00:00:25Z", "2024-01-01T00:00:50Z", "2024-01-01T00:01:00Z"}},
		{"15/20 * * * * *", []string{"2024-01-01T00:00:15Z", "2024-01-01T00:00:35Z", "2024-01-01T00:00:55Z", "2024-01-01T00:01:15Z"}},
		{"10-30/15 * * * * *", []string{"2024-01-01T00:00:10Z", "2024-01-01T00:00:25Z", "2024-01-01T00:01:10Z"}},
		{"1,10-30/15,58/1 * * * * *", []string{
			"2024-01-01T00:00:01Z", "2024-01-01T00:00:10Z", "2024-01-01T00:00:25Z", "2024-01-01T00:00:58Z", "2024-01-01T00:00:59Z",
		}},
		{"0 0 0 */10 * *", []string{"2024-01-11T00:00:00Z", "2024-01-21T00:00:00Z", "2024-01-31T00:00:00Z", "2024-02-01T00:00:00Z"}},
		{"0 0 0 1 */6 *", []string{"2024-07-01T00:00:00Z", "2025-01-01T00:00:00Z"}},

		// A step larger than the range matches its first value.
		{"*/60 0 * * * *", []string{"2024-01-01T01:00:00Z", "2024-01-01T02:00:00Z"}},
		{"5/9223372036854775807 0 * * * *", []string{"2024-01-01T00:00:05Z", "2024-01-01T01:00:05Z"}},

		// Names in any case.
		{"0 0 0 1 feb,JUL,Nov *", []string{"2024-02-01T00:00:00Z", "2024-07-01T00:00:00Z", "2024-11-01T00:00:00Z"}},
		{"0 0 0 1 jan-mAr/2 *", []string{"2024-03-01T00:00:00Z", "2025-01-01T00:00:00Z"}},
		{"0 0 0 * * MON-wed", []string{"2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z", "2024-01-08T00:00:00Z"}},
		{"0 0 0 * * sUN/3", []string{"2024-01-03T00:00:00Z", "2024-01-06T00:00:00Z", "2024-01-07T00:00:00Z"}},
		{"0 0 0 * * 1-fri/4", []string{"2024-01-05T00:00:00Z", "2024-01-08T00:00:00Z"}},

		// Oddities.
		{"*-5 0 * * * *", []string{"2024-01-01T00:00:01Z", "2024-01-01T00:00:02Z"}},
		{"*-x-y 0 * * * *", []string{"2024-01-01T00:00:01Z", "2024-01-01T00:00:02Z"}},
		{"+5 * * * * *", []string{"2024-01-01T00:00:05Z", "2024-01-01T00:01:05Z"}},
		{"0005-+06/01 * * * * *", []string{"2024-01-01T00:00:05Z", "2024-01-01T00:00:06Z", "2024-01-01T00:01:05Z"}},
		{",5,,9, * * * * *", []string{"2024-01-01T00:00:05Z", "2024-01-01T00:00:09Z", "2024-01-01T00:01:05Z"}},
		{" \t7  *\n* * *  * ", []string{"2024-01-01T00:00:07Z", "2024-01-01T00:01:07Z"}},

		// Days and weekdays: a star leaves it to the other, otherwise either will do.
		{"0 0 0 13 * 5", []string{"2024-01-05T00:00:00Z", "2024-01-12T00:00:00Z", "2024-01-13T00:00:00Z", "2024-01-19T00:00:00Z"}},
		{"0 0 0 * * 5", []string{"2024-01-05T00:00:00Z", "2024-01-12T00:00:00Z"}},
		{"0 0 0 13 * ?", []string{"2024-01-13T00:00:00Z", "2024-02-13T00:00:00Z"}},
		{"0 0 0 13 * */1", []string{"2024-01-13T00:00:00Z", "2024-02-13T00:00:00Z"}},
		{"0 0 0 13 * 3,*", []string{"2024-01-13T00:00:00Z", "2024-02-13T00:00:00Z"}},
		{"0 0 0 13 * *-2", []string{"2024-01-13T00:00:00Z", "2024-02-13T00:00:00Z"}},
		{"0 0 0 ?/01 * 5", []string{"2024-01-05T00:00:00Z", "2024-01-12T00:00:00Z"}},
		{"0 0 0 */20 * 5", []string{"2024-01-05T00:00:00Z", "2024-01-12T00:00:00Z", "2024-01-19T00:00:00Z", "2024-01-21T00:00:00Z"}},
		{"0 0 0 13 * */6", []string{"2024-01-06T00:00:00Z", "2024-01-07T00:00:00Z", "2024-01-13T00:00:00Z"}},
		{"0 0 0 13 * 0-6", []string{"2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z"}},
		{"0 0 0 30 2 1", []string{"2024-02-05T00:00:00Z", "2024-02-12T00:00:00Z"}},

		// Ends of months.
		{"0 0 0 31 * *", []string{"2024-01-31T00:00:00Z", "2024-03-31T00:00:00Z", "2024-05-31T00:00:00Z"}},
		{"0 0 0 29 2 *", []string{"2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"}},

		// Descriptors, and zones that are UTC.
		{"@yearly", []string{"2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"}},
		{"@annually", []string{"2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"}},
		{"@monthly", []string{"2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"}},
		{"@weekly", []string{"2024-01-07T00:00:00Z", "2024-01-14T00:00:00Z"}},
		{"@daily", []string{"2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z"}},
		{"@midnight", []string{"2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z"}},
		{"@hourly", []string{"2024-01-01T01:00:00Z", "2024-01-01T02:00:00Z"}},
		{"TZ= @daily", []string{"2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z"}},
		{"TZ=Local @daily", []string{"2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z"}},
		{"TZ=UTC   0 0 7 * * * ", []string{"2024-01-01T07:00:00Z", "2024-01-02T07:00:00Z"}},
		{"TZ=Asia/Kathmandu @daily", []string{"2024-01-01T18:15:00Z", "2024-01-02T18:15:00Z"}},
		{"CRON_TZ=Asia/Kathmandu 0 0 7 * * *", []string{"2024-01-01T01:15:00Z", "2024-01-02T01:15:00Z"}},

		// Intervals.
		{"@every 1m30s", []string{"2024-01-01T00:01:30Z", "2024-01-01T00:03:00Z"}},
		{"@every 100ms", []string{"2024-01-01T00:00:00.1Z", "2024-01-01T00:00:00.2Z"}},
		{"@every 1500us", []string{"2024-01-01T00:00:00.0015Z", "2024-01-01T00:00:00.003Z"}},
		{"@every 1ms", []string{"2024-01-01T00:00:00.001Z", "2024-01-01T00:00:00.002Z"}},
		{"@every 1ns", []string{"2024-01-01T00:00:00.001Z", "2024-01-01T00:00:00.002Z"}}, // in an older store
		{"@every 0s", []string{"2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"}},
	} {
		got := instants(t, c.schedule, "2024-01-01T00:00:00Z", len(c.want))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.schedule, diff)
		}
	}
}

func TestInvalidScheduleSaysWhy(t *testing.T) {
	for schedule, want := range map[string]string{
		"":                             "empty spec string",
		" ":                            "expected exactly 6 fields, found 0: []",
		"* * * * *":                    "expected exactly 6 fields, found 5: [* * * * *]",
		"0 0 * * * * 2024":             "expected exactly 6 fields, found 7: [0 0 * * * * 2024]",
		"60 * * * * *":                 "end of range (60) above maximum (59): 60",
		"* 0-60 * * * *":               "end of range (60) above maximum (59): 0-60",
		"* * 24 * * *":                 "end of range (24) above maximum (23): 24",
		"* * 24/2 * * *":               "beginning of range (24) beyond end of range (23): 24/2",
		"* * * 0 * *":                  "beginning of range (0) below minimum (1): 0",
		"* * * 32 * *":                 "end of range (32) above maximum (31): 32",
		"* * * * 0 *":                  "beginning of range (0) below minimum (1): 0",
		"* * * * 13 *":                 "end of range (13) above maximum (12): 13",
		"* * * * * 7":                  "end of range (7) above maximum (6): 7",
		"* * 20-10 * * *":              "beginning of range (20) beyond end of range (10): 20-10",
		"* * * * * fri-mon":            "beginning of range (5) beyond end of range (1): fri-mon",
		"*/0 * * * * *":                "step of range should be a positive number: */0",
		"1,2/0 * * * * *":              "step of range should be a positive number: 2/0",
		"*/-2 * * * * *":               "negative number (-2) not allowed: -2",
		"1-2-3 * * * * *":              "too many hyphens: 1-2-3",
		"1--3 * * * * *":               "too many hyphens: 1--3",
		"1/2/3 * * * * *":              "too many slashes: 1/2/3",
		"*/2/ * * * * *":               "too many slashes: */2/",
		"x * * * * *":                  "failed to parse int from x",
		"-5 * * * * *":                 "failed to parse int from ",
		"5- * * * * *":                 "failed to parse int from ",
		"5/ * * * * *":                 "failed to parse int from ",
		"** * * * * *":                 "failed to parse int from **",
		"1.5 * * * * *":                "failed to parse int from 1.5",
		"99999999999999999999 * *":     "expected exactly 6 fields, found 3: [99999999999999999999 * *]",
		"jan * * * * *":                "failed to parse int from jan",
		"* * * * mon *":                "failed to parse int from mon",
		"* * * * january *":            "failed to parse int from january",
		"* * * * anf *":                "failed to parse int from anf",
		"* * * L * *":                  "failed to parse int from L",
		"* * * 15W * *":                "failed to parse int from 15W",
		"* * * * * 5#3":                "failed to parse int from 5#3",
		", * * * * *":                  "field , names no value: give at least one between its commas",
		"* * * * * ,,,":                "field ,,, names no value: give at least one between its commas",
		"0 0 0 30 2 *":                 "schedule 0 0 0 30 2 * is never due: none of its months has any of its days",
		"0 0 0 31 2,4,6,9,11 ?":        "schedule 0 0 0 31 2,4,6,9,11 ? is never due: none of its months has any of its days",
		"TZ=Asia/Tokyo 0 0 0 30 2 *":   "schedule TZ=Asia/Tokyo 0 0 0 30 2 * is never due: none of its months has any of its days",
		"@":                            "unrecognized descriptor: @",
		"@reboot":                      "unrecognized descriptor: @reboot",
		"@Daily":                       "unrecognized descriptor: @Daily",
		"@daily ":                      "unrecognized descriptor: @daily ",
		" @daily":                      "expected exactly 6 fields, found 1: [@daily]",
		"@every":                       "unrecognized descriptor: @every",
		"@every\t1s":                   "unrecognized descriptor: @every\t1s",
		"@every ":                      `failed to parse duration @every : time: invalid duration ""`,
		"@every  1s":                   `failed to parse duration @every  1s: time: invalid duration " 1s"`,
		"@every 1d":                    `failed to parse duration @every 1d: time: unknown unit "d" in duration "1d"`,
		"@every P1D":                   `failed to parse duration @every P1D: time: invalid duration "P1D"`,
		"@every 3000000h":              `failed to parse duration @every 3000000h: time: invalid duration "3000000h"`,
		"@every -1s":                   "interval of @every -1s is negative: it must be positive",
		"TZ=Not/AZone 0 0 0 1 1 *":     "provided bad location Not/AZone: unknown time zone Not/AZone",
		"CRON_TZ=Not/AZone @daily":     "provided bad location Not/AZone: unknown time zone Not/AZone",
		"TZ=../UTC @daily":             "provided bad location ../UTC: unknown time zone ../UTC",
		"TZ=/etc/passwd @daily":        "provided bad location /etc/passwd: unknown time zone /etc/passwd",
		"TZ=UTC":                       "timezone prefix TZ=UTC is not followed by a schedule",
		"TZ=":                          "timezone prefix TZ= is not followed by a schedule",
		"TZ= ":                         "timezone prefix TZ=  is not followed by a schedule",
		"CRON_TZ=UTC  ":                "timezone prefix CRON_TZ=UTC   is not followed by a schedule",
		"TZ= @every 1s":                "timezone is not supported for @every schedules: TZ= @every 1s",
		"CRON_TZ=Asia/Tokyo @every 1h": "timezone is not supported for @every schedules: CRON_TZ=Asia/Tokyo @every 1h",
		"TZ=UTC @reboot":               "unrecognized descriptor: @reboot",
		"TZ=UTC TZ=UTC @daily":         "expected exactly 6 fields, found 2: [TZ=UTC @daily]",
		"TZ=UTC * * * * *":             "expected exactly 6 fields, found 5: [* * * * *]",
		"\x00\xff":                     "expected exactly 6 fields, found 1: [\x00\xff]",
	} {
		got, err := when.ParseRule(schedule)
		var e *when.Error
		if !errors.As(err, &e) || e.Field != "schedule" || e.Reason != want || !got.IsZero() {
			t.Errorf("ParseRule(%q) = %v, %v, want the error %q", schedule, got, err, want)
		}
	}
}

func TestCalendarRuleDropsFractionsOfSecond(t *testing.T) {
	rule, err := when.ParseRule("* * * * * *")
	if err != nil {
		t.Fatal(err)
	}
	for _, second := range []int64{1_700_000_000, 0, -1, -1_700_000_000} {
		for _, nanosecond := range []int64{0, 1, 500_000_000, 999_999_999} {
			after := time.Unix(second, nanosecond).In(time.FixedZone("", 3600))
			got, ok := rule.Next(after)
			if want := time.Unix(second+1, 0).UTC(); !ok || got != want {
				t.Errorf("Next(%v) = %v, %v, want %v", after, got, ok, want)
			}
		}
	}
}

// Around 2100, which is no leap year, eight years lie between leap days.
func TestLeapDayIsFoundAcrossCentury(t *testing.T) {
	got := instants(t, "0 0 12 29 2 *", "2096-01-01T00:00:00Z", 3)
	want := []string{"2096-02-29T12:00:00Z", "2104-02-29T12:00:00Z", "2108-02-29T12:00:00Z"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Instants end with the year 10000: a day after the last that RFC 3339 can write, and some more.
func TestRuleEndsAtLastInstant(t *testing.T) {
	for _, c := range []struct {
		schedule, after string
		want            []string
	}{
		{"* * * * * *", "2262-04-11T23:47:15Z", []string{"2262-04-11T23:47:16Z", "2262-04-11T23:47:17Z"}},
		{"TZ=America/New_York 0 0 0 * * *", "2262-04-10T00:00:00Z", []string{"2262-04-10T04:00:00Z", "2262-04-11T04:00:00Z", "2262-04-12T04:00:00Z"}},
		{"TZ=America/New_York 0 0 0 1 1 *", "9997-12-31T00:00:00Z", []string{"9998-01-01T05:00:00Z", "9999-01-01T05:00:00Z", "10000-01-01T05:00:00Z", "none"}},
		{"@yearly", "9998-01-01T00:00:00Z", []string{"9999-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "none"}},
		{"@every 1000000h", "2024-01-01T00:00:00Z", []string{"2138-01-29T16:00:00Z", "2252-02-28T08:00:00Z", "2366-03-29T00:00:00Z"}},
		{"@every 2500000h", "9500-01-01T00:00:00Z", []string{"9785-03-13T16:00:00Z", "none"}},
		{"* * * * * *", "1677-09-21T00:12:43Z", []string{"1677-09-21T00:12:44Z"}},
		{"@every 1s", "0001-01-01T00:00:00Z", []string{"0001-01-01T00:00:01Z"}},
		{"@daily", "0000-12-31T00:00:00Z", []string{"0001-01-01T00:00:00Z", "0001-01-02T00:00:00Z"}},
		{"TZ=Europe/Berlin @daily", "0000-12-31T00:00:00Z", []string{"0000-12-31T23:06:32Z", "0001-01-01T23:06:32Z"}},
		{"* * * * * *", "9999-12-31T23:59:58.5Z", []string{"9999-12-31T23:59:59Z", "10000-01-01T00:00:00Z"}},
	} {
		got := instants(t, c.schedule, c.after, len(c.want))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q after %s (-want +got):\n%s", c.schedule, c.after, diff)
		}
	}
}

func TestZeroRuleNeverRecurs(t *testing.T) {
	var rule when.Rule
	if next, ok := rule.Next(now); ok || !rule.IsZero() {
		t.Errorf("Next(%v) = %v, %v, want none", now, next, ok)
	}
	if when.Every(0).IsZero() {
		t.Error("an interval of zero is the zero rule")
	}
}

func TestRulesOfEquivalentSchedulesAreEqual(t *testing.T) {
	schedules := []string{"@daily", "TZ=Asia/Tokyo @daily", "0 0 0 1 1 1", "0 0 0 1 1 *", "@every 1s", "@every 0s"}
	same := map[string]string{
		"@midnight": "@daily", "CRON_TZ=Asia/Tokyo 0 0 0 ? */1 *": "TZ=Asia/Tokyo @daily", "0 0 0 01 JAN mon": "0 0 0 1 1 1",
		"@annually": "0 0 0 1 1 *", "@every 1000ms": "@every 1s", "@every 0": "@every 0s",
	}
	parse := func(s string) when.Rule {
		rule, err := when.ParseRule(s)
		if err != nil {
			t.Fatal(err)
		}
		return rule
	}
	for other, meant := range same {
		for _, s := range schedules {
			if got, want := parse(s).Equal(parse(other)), s == meant; got != want {
				t.Errorf("%q equals %q: %v, want %v", s, other, got, want)
			}
		}
	}
}

// Zones are kept once loaded; a name that is refused is refused again.
func TestZoneCacheIsBounded(t *testing.T) {
	for range 2 {
		for _, zone := range zoneNames() {
			if _, err := when.ParseRule("TZ=" + zone + " @daily"); err != nil {
				t.Error(err)
			}
			if _, err := when.ParseRule("TZ=" + strings.ToLower(zone) + "x @daily"); err == nil {
				t.Errorf("zone %sx is accepted", strings.ToLower(zone))
			}
		}
	}
}

// Where the rules of a zone describe a leap year and no table does, package
// time ends that year a day early. A search across that day takes a step for it
// and not one for each of its seconds: this test would take minutes.
func TestLastDayOfLeapYearIsFast(t *testing.T) {
	rule, err := when.ParseRule("TZ=Europe/Berlin 0 0 0 1 7 *")
	if err != nil {
		t.Fatal(err)
	}
	after := time.Date(2040, 12, 30, 12, 0, 0, 0, time.UTC)
	want := time.Date(2041, 6, 30, 22, 0, 0, 0, time.UTC)
	for range 2000 {
		if got, ok := rule.Next(after); !ok || got != want {
			t.Fatalf("Next(%v) = %v, %v, want %v", after, got, ok, want)
		}
	}
}

// The constants say what calendars say.
func TestInstantsReachFromYearMinus1To10000(t *testing.T) {
	first, last := time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10001, 1, 1, 0, 0, 0, -1, time.UTC)
	for _, in := range []time.Time{first, last, {}, now} {
		if !when.InRange(in) || when.Clamp(in) != in {
			t.Errorf("%v is out of range", in)
		}
	}
	for _, out := range []struct{ t, nearest time.Time }{
		{first.Add(-1), first}, {last.Add(1), last}, {time.Unix(1<<62, 0), last}, {time.Unix(-1<<62, 0), first},
	} {
		if when.InRange(out.t) || when.Clamp(out.t) != out.nearest {
			t.Errorf("%v is in range, or the nearest that is is not %v", out.t, out.nearest)
		}
	}
}

func TestSecondsBetweenInstantsDoNotOverflow(t *testing.T) {
	for _, c := range []struct {
		from, to time.Time
		want     float64
	}{
		{now, now.Add(1500 * time.Millisecond), 1.5},
		{now.Add(time.Second), now, -1},
		{time.Time{}, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), 315_537_897_600},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{}, -315_537_897_600},
	} {
		if got := when.Seconds(c.from, c.to); got != c.want {
			t.Errorf("from %v to %v are %v seconds, want %v", c.from, c.to, got, c.want)
		}
	}
}
