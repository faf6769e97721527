package when_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/when"
)

func TestValuesAreThoseOfTheFields(t *testing.T) {
	rule, err := when.ParseRule("TZ=Europe/Berlin 0 */20 8-10,17 1,15 jan,JUL mon-wed")
	if err != nil {
		t.Fatal(err)
	}
	got, ok := rule.Values()
	if !ok || got.Zone.String() != "Europe/Berlin" {
		t.Fatalf("Values = %v, %v, want those in Europe/Berlin", got, ok)
	}
	got.Zone = nil
	want := when.Values{
		Seconds: []int{0}, Minutes: []int{0, 20, 40}, Hours: []int{8, 9, 10, 17},
		Days: []int{1, 15}, Months: []int{1, 7}, Weekdays: []int{1, 2, 3}, EitherDay: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestRuleIsOfOneKind(t *testing.T) {
	for _, c := range []struct {
		rule               when.Rule
		calendar, interval bool
	}{
		{when.Rule{}, false, false},
		{when.Every(0), false, true},
		{when.Every(time.Second), false, true},
		{parsed(t, "@daily"), true, false},
	} {
		_, calendar := c.rule.Values()
		every, interval := c.rule.Interval()
		if calendar != c.calendar || interval != c.interval || interval && c.rule != when.Every(every) {
			t.Errorf("%v: calendar %v, interval %v, %v, want %v, %v", c.rule, calendar, interval, every, c.calendar, c.interval)
		}
	}
}

func parsed(t *testing.T, schedule string) when.Rule {
	t.Helper()
	rule, err := when.ParseRule(schedule)
	if err != nil {
		t.Fatal(err)
	}
	return rule
}

// The rule in UTC finds the time that the clocks of Berlin skip on 2027-03-28.
func TestRuleInUTCFindsSkippedTimes(t *testing.T) {
	rule := parsed(t, "TZ=Europe/Berlin 0 30 2 * * *")
	next, ok := rule.InUTC().Next(time.Date(2027, 3, 28, 0, 0, 0, 0, time.UTC))
	if want := time.Date(2027, 3, 28, 2, 30, 0, 0, time.UTC); !ok || next != want {
		t.Errorf("Next = %v, %v, want %v", next, ok, want)
	}
	if v, _ := rule.Values(); v.Zone.String() != "Europe/Berlin" {
		t.Errorf("the rule is in %v now", v.Zone)
	}
	if rule := when.Every(time.Second); rule.InUTC() != rule {
		t.Error("an interval is another in UTC")
	}
}

func TestClockChangesAreThoseOfTheZone(t *testing.T) {
	from := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for zone, want := range map[string][]string{
		"Europe/Berlin":       {"2027-03-28T01:00:00Z +1h0m0s", "2027-10-31T01:00:00Z -1h0m0s"},
		"Australia/Lord_Howe": {"2027-04-03T15:00:00Z -30m0s", "2027-10-02T15:30:00Z +30m0s"},
		"Asia/Kolkata":        nil,
		"UTC":                 nil,
	} {
		if got := changes(t, zone, from, from.AddDate(1, 0, 0)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", zone, got, want)
		}
	}
	apia := time.Date(2011, 12, 30, 10, 0, 0, 0, time.UTC)
	if got := changes(t, "Pacific/Apia", apia.Add(-time.Nanosecond), apia); len(got) != 1 || got[0] != "2011-12-30T10:00:00Z +24h0m0s" {
		t.Errorf("the change at the end of the span: %q", got)
	}
	if got := changes(t, "Pacific/Apia", apia, apia.AddDate(0, 1, 0)); got != nil {
		t.Errorf("after the change: %q", got)
	}
}

// changes returns the clock changes of a zone, and by how much the clocks go forward or back.
func changes(t *testing.T, zone string, after, until time.Time) (all []string) {
	t.Helper()
	loc := loadZone(t, zone)
	for {
		c, ok := when.NextClockChange(loc, after, until)
		if !ok {
			return all
		}
		by := (c.After - c.Before).String()
		if c.After > c.Before {
			by = "+" + by
		}
		all = append(all, c.At.Format(time.RFC3339)+" "+by)
		after = c.At
	}
}
