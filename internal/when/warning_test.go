package when_test

import (
	"strings"
	"testing"
	"time"

	"carillon/internal/when"
)

// Dapr takes such texts for no time at all, since it ignores what has no unit that it knows: so
// they are due at once.
func TestDurationWithoutMeaningIsWarnedOf(t *testing.T) {
	for _, text := range []string{"PT30s", "P1d", "PT", "P1", "P30", "Pxx", "PT5m", "P2w", "PT30", "R0/PT", "R-1/P1d", "P0DT30s", "PT0S5"} {
		w := when.Words{DueTime: &text}
		plan, err := w.Resolve(now)
		if err != nil || plan.First != now {
			t.Errorf("due time %q = %v, %v, want now, as in Dapr", text, plan, err)
		}
		warnings := w.Warnings(now)
		if len(warnings) != 1 || !warnings[0].Empty || warnings[0].Field != "due_time" || warnings[0].Effect != "the job is due at once" {
			t.Errorf("due time %q has the warnings %+v, want that it says nothing", text, warnings)
		}
		w = when.Words{Schedule: new("@every 1h"), TTL: &text}
		plan, err = w.Resolve(now)
		if err != nil || plan.Until != now {
			t.Errorf("ttl %q = %v, %v, want an end now, as in Dapr", text, plan, err)
		}
		if _, ok := plan.Next(0, time.Time{}); ok {
			t.Errorf("ttl %q: the job is due", text)
		}
		warnings = w.Warnings(now)
		if len(warnings) != 1 || !warnings[0].Empty || warnings[0].Field != "ttl" || warnings[0].Effect != "the job ends as soon as it begins" {
			t.Errorf("ttl %q has the warnings %+v, want that it says nothing", text, warnings)
		}
	}
}

func TestIgnoredPartOfDurationIsWarnedOf(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{"PT1M30": time.Minute, "P1Dxx": day, "P1DT12h": day, "PT1H30m": time.Hour, "P-1D5": -day} {
		w := when.Words{DueTime: &text}
		plan, err := w.Resolve(now)
		if err != nil || plan.First != now.Add(want) {
			t.Errorf("due time %q = %v, %v, want %v from now, as in Dapr", text, plan, err, want)
		}
		if warnings := w.Warnings(now); len(warnings) != 1 || warnings[0].Empty || warnings[0].Effect != "that is ignored" {
			t.Errorf("due time %q has the warnings %+v, want that something is ignored", text, warnings)
		}
	}
}

func TestClearOrInvalidTextHasNoWarning(t *testing.T) {
	for _, text := range []string{
		"PT30S", "P1D", "P0D", "PT0S", "P1DT", "P-1D", "P1D-1D", "30s", "0", "2030-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z",
		"", "P", "30", "1d", "P1H", "p1d", "PT1.5S", "P1dT1H", "R1/PT", "R5", "tomorrow",
	} {
		if warnings := (when.Words{DueTime: &text, TTL: &text}).Warnings(now); len(warnings) > 0 {
			t.Errorf("%q has warnings: %+v", text, warnings)
		}
	}
}

// A warning is sent in a header.
func TestWarningIsShortAndASCII(t *testing.T) {
	w := when.Words{DueTime: new("P\r\n\u20ac\xff" + strings.Repeat("x", 1<<20)), TTL: new("P1D\u20ac" + strings.Repeat("x", 1<<20))}
	for _, d := range w.Warnings(now) {
		text := d.String()
		if len(text) > 1000 {
			t.Errorf("a warning has %d bytes", len(text))
		}
		for _, b := range []byte(text) {
			if b < ' ' || b > '~' {
				t.Errorf("%q has the byte %#x", text, b)
			}
		}
	}
}

func TestTTLBeforeFirstInstantIsWarnedOf(t *testing.T) {
	for _, test := range []struct {
		schedule, due, ttl string
		never              bool
	}{
		{"@daily", "", "2000-01-01T00:00:00Z", true},
		{"@daily", "", "-1h", true},
		{"@every 1h", "", "59m", true},
		{"@every 1h", "", "1h", false},
		{"@daily", "10s", "0s", false},
		{"@daily", "2000-01-01T00:00:00Z", "1h", false},
		{"@daily", "10s", "2000-01-01T00:00:00Z", false},
		{"nonsense", "", "1s", false},     // which are refused
		{"@every 1h", "", "PT1M30", true}, // which has another warning, too
		{"@every 1h", "", "PT30s", false}, // which has the warnings empty
	} {
		w := when.Words{Schedule: &test.schedule, TTL: &test.ttl}
		if test.due != "" {
			w.DueTime = &test.due
		}
		never := 0
		for _, d := range w.Warnings(now) {
			if text := d.String(); strings.HasSuffix(text, "; as it is, the job is not stored, and never runs") {
				never++
				if d.Field != "ttl" || d.Empty || !strings.HasPrefix(text, "ttl ") {
					t.Errorf("%+v: %+v, want that it is about the ttl", test, d)
				}
			}
		}
		if (never == 1) != test.never || never > 1 {
			t.Errorf("%+v: %d warnings say that it never runs", test, never)
		}
	}
	if warnings := (when.Words{Schedule: new("@daily")}).Warnings(now); len(warnings) > 0 {
		t.Errorf("without a ttl: %v", warnings)
	}
}
