package when_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"carillon/internal/when"
)

// Whatever the schedule says, it is refused with an *Error or its instants
// grow, lie after the one asked about, and are shown by the clock on the wall.
func FuzzParseRule(f *testing.F) {
	for _, schedule := range []string{
		"* * * * * *", "0 0 0 29 2 *", "0 0 0 30 2 *", "*/7,3-9/2 +5 0-23 1,15 jan-DEC/3 mon", ",,, * * * * *", "*-5 ? ?/3 * * */2",
		"@daily", "@every 1h", "@every 0s", "@every -1s", "@reboot", "TZ=UTC", "TZ= @every 1s", "TZ=Local @hourly",
		"TZ=Australia/Lord_Howe 0 15 2 * * *", "CRON_TZ=Pacific/Apia 0 0 12 30 * *", "60 * * * * *", "5/99999999999999999999 * * * * *", "",
	} {
		f.Add(schedule, int64(1_700_000_000_123_456_789))
	}
	f.Add("TZ=Europe/Berlin 0 0 0 1 7 *", int64(2_240_470_800_000_000_000)) // the last day of a leap year
	f.Add("* * * * * *", int64(1<<63-1))
	f.Add("* * * * * *", int64(-1<<63))
	f.Fuzz(func(t *testing.T, schedule string, nanoseconds int64) {
		rule, err := when.ParseRule(schedule)
		var e *when.Error
		if err != nil && (!errors.As(err, &e) || err.Error() == "" || !rule.IsZero()) {
			t.Fatalf("ParseRule(%q) = %v, %v, want the zero rule and an *Error", schedule, rule, err)
		}
		if err != nil {
			return
		}
		if again, err := when.ParseRule(schedule); err != nil || !again.Equal(rule) {
			t.Fatalf("ParseRule(%q) = %v, %v, want %v again", schedule, again, err, rule)
		}
		checkNext(t, schedule, rule, time.Unix(0, nanoseconds))
		// From long before the first instant to long behind the last.
		checkNext(t, schedule, rule, time.Unix(nanoseconds/1e9*40, nanoseconds%1e9))
	})
}

func checkNext(t *testing.T, schedule string, rule when.Rule, after time.Time) {
	t.Helper()
	if text, ok := strings.CutPrefix(schedule, "@every "); ok {
		d, _ := time.ParseDuration(text)
		want := after.Add(d).UTC()
		if got, ok := rule.Next(after); ok && got != want || ok != (when.InRange(after) && when.InRange(want)) {
			t.Fatalf("Next(%v) = %v, %v, want %v later", after, got, ok, d)
		}
		return
	}
	slow := readNaively(t, schedule)
	for range 5 {
		next, ok := rule.Next(after)
		if !ok {
			return
		}
		if !next.After(after) || !slow.matches(next) || next.Location() != time.UTC || !when.InRange(next) {
			t.Fatalf("%q: Next(%v) = %v, want a later instant in UTC that matches", schedule, after, next)
		}
		if before := next.Add(-time.Second); before.After(after) {
			if again, ok := rule.Next(before); !ok || again != next {
				t.Fatalf("%q: Next(%v) = %v, %v, want %v as after %v", schedule, before, again, ok, next, after)
			}
		}
		after = next
	}
}

// Whatever the words are, they are refused with an *Error or make a plan whose
// instants grow, are in range and keep to its limits.
func FuzzResolve(f *testing.F) {
	type words struct {
		schedule, due, ttl string
		repeats            uint32
		present            byte
	}
	for _, w := range []words{
		{"@every 1s", "10s", "3s", 2, 15},
		{"@every 0s", "", "", 2, 9},
		{"", "2030-01-01T00:00:00.5+01:00", "", 0, 2},
		{"@hourly", "P1Y2M3W4DT5H6M7S", "R0/P5000Y", 0, 7},
		{"0 0 0 29 2 *", "R5/PT1S", "9999-12-31T23:59:59Z", 0, 7},
		{"@yearly", "Pxx", "P-1DT-1H", 0, 7},
		{"@daily", "P9223372036854775807Y", "-P", 0, 7},
		{"@daily", "2262-04-11T23:47:16,854775807Z", "2562047h", 1, 15},
		{"@yearly", "9999-12-31T23:59:59.999999999Z", "P9000Y", 2, 15},
		{"@every 1ns", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", 0, 7},
		{"@every 2562047h", "0000-01-01T00:00:00+14:00", "P9990Y", 0, 7},
		{"", "PT30s", "", 0, 2},
	} {
		f.Add(w.schedule, w.due, w.ttl, w.repeats, w.present, int64(1_700_000_000_123_456_789))
	}
	f.Fuzz(func(t *testing.T, schedule, due, ttl string, repeats uint32, present byte, nanoseconds int64) {
		var w when.Words
		if present&1 != 0 {
			w.Schedule = &schedule
		}
		if present&2 != 0 {
			w.DueTime = &due
		}
		if present&4 != 0 {
			w.TTL = &ttl
		}
		if present&8 != 0 {
			w.Repeats = &repeats
		}
		p, err := w.Resolve(time.Unix(0, nanoseconds))
		var e *when.Error
		if err != nil {
			if !errors.As(err, &e) || err.Error() == "" || e.Field == "" || p != (when.Plan{}) {
				t.Fatalf("Resolve = %v, %v, want no plan and an *Error", p, err)
			}
			return
		}
		if p.Rule.IsZero() != (w.Schedule == nil) || p.Until.IsZero() != (w.TTL == nil) || !when.InRange(p.First) || p.First.Location() != time.UTC {
			t.Fatalf("Resolve = %v: a field too many, or a first instant that does not fit", p)
		}
		last := time.Time{}
		for fired := range uint32(5) {
			next, ok := p.Next(fired, last)
			if !ok {
				return
			}
			fits := when.InRange(next)
			grows := fired == 0 || next.After(last) || p.Rule == when.Every(0) && next.Equal(last)
			kept := (p.Repeats == 0 || fired < p.Repeats) && (p.Until.IsZero() || !next.After(p.Until)) && (fired == 0 || w.Schedule != nil)
			if !fits || !grows || !kept {
				t.Fatalf("%v: Next(%d, %v) = %v", p, fired, last, next)
			}
			last = next
		}
		if p.Repeats == 0 && p.Rule == when.Every(0) {
			t.Fatalf("Resolve = %v: due for ever at one instant", p)
		}
	})
}
