package when_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"carillon/internal/when"
)

// helpFor returns the help of the error for w.
func helpFor(t *testing.T, w when.Words) string {
	t.Helper()
	_, err := w.Resolve(now)
	e, ok := errors.AsType[*when.Error](err)
	if !ok {
		t.Fatalf("%+v is accepted: %v, want an error", w, err)
	}
	if !strings.HasPrefix(e.Error(), e.Reason) || !strings.HasSuffix(e.Error(), e.Help) {
		t.Errorf("the error is %q, want the reason %q and then the help %q", e.Error(), e.Reason, e.Help)
	}
	return e.Help
}

func TestHelpCorrectsInvalidSchedule(t *testing.T) {
	for schedule, want := range map[string]string{
		"*/5 * * * *":                     `seconds come first: write "0 */5 * * * *"`,
		"30 9 * * MON-FRI":                `seconds come first: write "0 30 9 * * MON-FRI"`,
		"TZ=Asia/Tokyo 30 9 * * *":        `seconds come first: write "TZ=Asia/Tokyo 0 30 9 * * *"`,
		"0 9 * * 7":                       `seconds come first: write "0 0 9 * * 0"`,
		"0 0 9 * * * Europe/Berlin":       `a time zone goes first, behind TZ=: write "TZ=Europe/Berlin 0 0 9 * * *"`,
		"0 9 * * * Europe/Berlin":         `write "TZ=Europe/Berlin 0 0 9 * * *"`,
		"0 0 9 * * * TZ=europe/berlin":    `write "TZ=Europe/Berlin 0 0 9 * * *"`,
		"Europe/Berlin 0 0 9 * * *":       `write "TZ=Europe/Berlin 0 0 9 * * *"`,
		"0 9 * * * UTC":                   `write "TZ=UTC 0 0 9 * * *"`,
		"0 0 12 * * ? 2030":               `there is no field for years, but a ttl to end it: write "0 0 12 * * ?"`,
		"5m":                              `an interval begins with @every: write "@every 5m"`,
		"PT5M":                            `an interval begins with @every: write "@every 5m0s"`,
		"daily":                           `write "@daily"`,
		"@Daily":                          `write "@daily"`,
		" @daily":                         `write "@daily"`,
		"@every5m":                        `write "@every 5m"`,
		"@reboot":                         `those that there are: @hourly`,
		"@every":                          `as in "@every 5m"`,
		"@every 1d":                       `there is no unit of days: write "@every 24h"`,
		"@every 5 m":                      `write "@every 5m"`,
		"@every PT5M":                     `write "@every 5m0s"`,
		"@every 90":                       `write "@every 90s"`,
		"@every moon":                     `give an interval such as 30s`,
		"TZ=Asia/Tokyo @every 1h":         `write "@every 1h"`,
		"2030-01-01T00:00:00Z":            `give "2030-01-01T00:00:00Z" as dueTime`,
		"tomorrow":                        `give six fields with the seconds first`,
		"":                                `give six fields with the seconds first`,
		"0 0 0 L * *":                     `field 4, the day of the month, is "L", and takes *, numbers from 1 to 31, lists as in 1,2, ranges as in 1-5, and steps as in */2; L, W and # are not supported`,
		"0 0 0 * * 5#3":                   `field 6, the day of the week, is "5#3", and takes *, numbers from 0 to 6 or SUN to SAT`,
		"0 0 0 * january *":               `a name has three letters: write JAN`,
		"0 9 * * 8":                       `seconds come first: put a 0 there; and field 6, the day of the week, is "8", and takes *, numbers from 0 to 6 or SUN to SAT, lists as in 1,2, ranges as in 1-5, and steps as in */2`,
		"0 0 0 * * 7":                     `Sunday is 0 or SUN`,
		"0 0 0 * * fri-mon":               `a range goes upwards: write 5-6,0-1 in its place`,
		"0 0 22-6 * * *":                  `a range goes upwards: write 22-23,0-6 in its place`,
		"0 0 0 * nov-feb *":               `a range goes upwards: write 11-12,1-2 in its place`,
		"0 0 0 * * Monday-Friday":         `a name has three letters: write MON-FRI`,
		"0 0 0 * * mon-8":                 `ranges as in 1-5, and steps as in */2`,
		"0 0 0 * * 1-7":                   `; Sunday is 0 or SUN`,
		"0 9 * * 1-7":                     `write "0 0 9 * * *"`,
		"0 9 * * 5-7":                     `write "0 0 9 * * 5-6,0"`,
		"0 9 * * 1,3,7":                   `write "0 0 9 * * 1,3,0"`,
		"0 9 * * fri-sun":                 `write "0 0 9 * * fri-6,0"`,
		"0 9 * * 1-7/2":                   `write "0 0 9 * * 1-6/2,0"`,
		"0 9 * * 2-7/2":                   `write "0 0 9 * * 2-6/2"`,
		"0 9 * * sun-sun":                 `write "0 0 9 * * sun-sun"`,
		"@every 1h30":                     `write "@every 1h30m"`,
		"@every 1m30":                     `write "@every 1m30s"`,
		"@every -30":                      `give an interval such as 30s, 5m or 1h30m; a day is 24h`,
		"@every 0d":                       `give an interval such as 30s, 5m or 1h30m; a day is 24h`,
		"TZ=Asia/Tokyo @every -1h":        `leave the zone out; and interval of @every -1h is negative`,
		"@Every -5m":                      `interval of @every -5m is negative`,
		"0 0 0 * * 8":                     `field 6, the day of the week, is "8"`,
		"0 0 25 * * *":                    `field 3, the hour, is "25", and takes *, numbers from 0 to 23`,
		"0 0 0 30 2 *":                    `correct fields 4 and 5, the day and the month`,
		"TZ=Europe/Berln 0 0 9 * * *":     `did you mean Europe/Berlin?`,
		"TZ=Berlin 0 0 9 * * *":           `did you mean Europe/Berlin?`,
		"CRON_TZ=america/new_york @daily": `did you mean America/New_York?`,
		"TZ=Los_Angeles @daily":           `did you mean America/Los_Angeles?`,
		"TZ=PST @daily":                   `zones have the names of the IANA time zone database, such as Europe/Berlin`,
		"TZ=Middle_Earth/Shire @daily":    `zones have the names of the IANA time zone database`,
		"TZ=UTC":                          `put six fields behind it`,
		strings.Repeat("0 ", 1<<20):       `give six fields with the seconds first`,
		"TZ=" + strings.Repeat("x", 1<<20) + " @daily": `zones have the names`,
	} {
		if got := helpFor(t, when.Words{Schedule: &schedule}); !strings.Contains(got, want) || len(got) > 400 {
			t.Errorf("%.60q is answered with %q, want a short text with %q", schedule, got, want)
		}
	}
}

func TestHelpCorrectsInvalidInstant(t *testing.T) {
	for text, want := range map[string]string{
		"tomorrow":                 `"tomorrow" is neither an instant such as 2026-12-24T18:00:00Z nor a duration such as 30s, 1h30m or P1DT2H`,
		"":                         `"" is neither an instant`,
		"2026-12-24T18:00:00":      `has no time zone, or only a part of the time: write "2026-12-24T18:00:00Z"`,
		"2026-12-24 18:00":         `write "2026-12-24T18:00:00Z"`,
		"2026-12-24":               `write "2026-12-24T00:00:00Z"`,
		"2026-12-24 18:00:00Z":     `is likely to mean "2026-12-24T18:00:00Z"`,
		"2026-12-24t18:00:00z":     `is likely to mean "2026-12-24T18:00:00Z"`,
		"1d":                       `there is no unit of days there; write "P1D"`,
		"30":                       `is likely to mean "30s"`,
		"1h30":                     `is likely to mean "1h30m"`,
		"1H 30":                    `is likely to mean "1h30m"`,
		"2m30":                     `is likely to mean "2m30s"`,
		"1h2m30":                   `is likely to mean "1h2m30s"`,
		"pt1m30":                   `is neither an instant`,
		"p9999y":                   `is neither an instant`,
		"30 s":                     `is likely to mean "30s"`,
		"5M":                       `is likely to mean "5m"`,
		"p1d":                      `is likely to mean "P1D"`,
		" 1h":                      `is likely to mean "1h"`,
		"@every 5m":                `"@every 5m" is a schedule: give it as schedule`,
		"*/5 * * * *":              `is a schedule: give it as schedule`,
		strings.Repeat("9", 1<<20): `is neither an instant`,
	} {
		if got := helpFor(t, when.Words{DueTime: &text}); !strings.Contains(got, want) || !strings.HasPrefix(got, "dueTime ") || len(got) > 400 {
			t.Errorf("due time %.60q is answered with %q, want a short text with %q", text, got, want)
		}
		if got := helpFor(t, when.Words{Schedule: new("@daily"), TTL: &text}); !strings.Contains(got, want) || !strings.HasPrefix(got, "ttl ") {
			t.Errorf("ttl %.60q is answered with %q, want %q in it", text, got, want)
		}
	}
	for w, want := range map[*when.Words]string{
		{DueTime: new("R5/PT10S")}:                     `give schedule "@every 10s" and repeats 5`,
		{DueTime: new("R5/P1M")}:                       `give a schedule such as "@every 5m"`,
		{DueTime: new("P7977Y")}:                       `dueTime is "P7977Y"`,
		{DueTime: new("10s"), TTL: new("1h")}:          `ttl "1h" says when a job that recurs ends, and one with dueTime alone is due once: leave the ttl out, or add a schedule`,
		{DueTime: new("10s"), Repeats: new(uint32(3))}: `repeats is 3: leave it out, or add a schedule`,
		{DueTime: new("10s"), Repeats: new(uint32(0))}: `leave it out`,
		{}: `give dueTime, such as "30s", or schedule`,
		{Schedule: new("@daily"), DueTime: new("2030-01-01T00:00:00Z"), TTL: new("2029-01-01T00:00:00Z")}: `ttl "2029-01-01T00:00:00Z" ends at 2029-01-01T00:00:00Z, before dueTime "2030-01-01T00:00:00Z", which is 2030-01-01T00:00:00Z`,
	} {
		if got := helpFor(t, *w); !strings.Contains(got, want) {
			t.Errorf("%v is answered with %q, want %q in it", *w, got, want)
		}
	}
}

// What help says to write can be written.
func TestCorrectedScheduleIsValid(t *testing.T) {
	line := regexp.MustCompile(`(?:write|likely to mean|give schedule|give) ("(?:[^"\\]|\\.)*")( as dueTime)?`)
	field := regexp.MustCompile(`field (\d), .* write (\S+)( in its place)?$`)
	lines := 0
	check := func(w when.Words) {
		_, err := w.Resolve(now)
		e, wrong := errors.AsType[*when.Error](err)
		if !wrong {
			return
		}
		for _, m := range line.FindAllStringSubmatch(e.Help, -1) {
			text, err := strconv.Unquote(m[1])
			if err != nil {
				t.Errorf("%q: %v", e.Help, err)
			}
			better := when.Words{Schedule: &text}
			switch {
			case m[2] != "", e.Field == "due_time" && !strings.Contains(m[0], "schedule"):
				better = when.Words{DueTime: &text}
			case e.Field == "ttl":
				better = when.Words{Schedule: new("@daily"), TTL: &text}
			}
			if _, err := better.Resolve(now); err != nil {
				t.Errorf("the help is %q, and that is refused: %v", e.Help, err)
			}
			lines++
		}
		if m := field.FindStringSubmatch(e.Help); m != nil {
			fields := strings.Fields("0 0 0 * * *")
			fields[m[1][0]-'1'] = m[2]
			if _, err := when.ParseRule(strings.Join(fields, " ")); err != nil {
				t.Errorf("the help is %q, and that is refused: %v", e.Help, err)
			}
			lines++
		}
	}
	words := []string{
		"5m", "PT5M", "daily", "@every5m", "@every 1d", "@every 90", "@every 1h30", "@Every 1M30", "@every -30", "@every 0d", "0s", "-5m",
		"5 ns", "@every 5 ns", "@every 1d ", "@EVERY 0s", "TZ=UTC @every -1h", "TZ=UTC @every 5s", "TZ=UTC @every " + strings.Repeat("1h", 99),
		"30", "-30", "1h30", "1d", "0d", "999999999d", "p9999y", "pt1m30", "P1d ", "p1", "2030-01-01", "2030-01-01T00:00:00Z", "2030-01-01 00:00:00Z",
		"R5/PT10S", "R5/PT0S", "R5/P1M", "R99999999999/PT1S", "R+5/PT1S", "R5/PT-1S", "R5/P-9999999D", "UTC UTC UTC UTC UTC UTC UTC UTC UTC",
	}
	for _, day := range []string{"*", "7", "8", "1-7", "5-7", "7-7", "0-7", "7-3", "6-7", "1-7/2", "1-7/0", "1,7", "7,1-7,8", "fri-sun", "sat-mon", "7/2", "monday-friday", "L", "5#3", "mon-8"} {
		for _, rest := range []string{"*/5 * * *", "0 9 30 2", "0 9 * january", "70 9 * *", "0 22-6 * nov-feb"} {
			for _, form := range []string{"%s %s", "0 %s %s", "0 %s %s 2030", "%s %s UTC", "Europe/Berlin %s %s", "TZ=Asia/Tokyo %s %s", "TZ=UTC %s %s Europe/Berlin"} {
				words = append(words, fmt.Sprintf(form, rest, day))
			}
		}
	}
	for _, text := range words {
		check(when.Words{Schedule: &text})
		check(when.Words{DueTime: &text})
		check(when.Words{Schedule: new("@daily"), TTL: &text})
	}
	if lines < 200 {
		t.Errorf("there are %d lines, want hundreds", lines)
	}
}

func TestZoneNamesMatchZoneData(t *testing.T) {
	names, err := os.ReadFile("zonenames.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(names), "\n"), "\n")
	if len(lines) < 590 {
		t.Errorf("there are %d zones, want all of them", len(lines))
	}
	for _, name := range lines {
		if _, err := time.LoadLocation(name); err != nil {
			t.Errorf("%q is in the list, and is no zone: %v", name, err)
		}
	}
}
