package when_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/when"
)

// dues returns at most n due instants of a plan, as durations since start.
func dues(p when.Plan, start time.Time, n int) []time.Duration {
	var all []time.Duration
	last := time.Time{}
	for fired := range uint32(n) {
		due, ok := p.Next(fired, last)
		if !ok {
			break
		}
		all = append(all, due.Sub(start))
		last = due
	}
	return all
}

func TestPlanIsDueAsWordsSay(t *testing.T) {
	const (
		s  = time.Second
		ms = time.Millisecond
	)
	start := time.Date(2024, 1, 31, 10, 20, 30, 0, time.UTC)
	for _, c := range []struct {
		name                   string
		schedule, dueTime, ttl string // "": absent
		repeats                uint32 // 0: absent
		want                   []time.Duration
		more                   bool // and so on
	}{
		{name: "a due time alone: once", dueTime: "2s", want: []time.Duration{2 * s}},
		{name: "a past due time: at once", dueTime: "-1h", want: []time.Duration{-time.Hour}},
		{name: "a due time of now", dueTime: "0s", want: []time.Duration{0}},
		{name: "a due time with one repeat: once", dueTime: "2s", repeats: 1, want: []time.Duration{2 * s}},
		{name: "an interval alone: not at once", schedule: "@every 1s", want: []time.Duration{1 * s, 2 * s, 3 * s}, more: true},
		{name: "a calendar alone: not at once", schedule: "*/10 * * * * *", want: []time.Duration{10 * s, 20 * s, 30 * s}, more: true},
		{name: "both: at the due time first", schedule: "@every 1s", dueTime: "2s", want: []time.Duration{2 * s, 3 * s, 4 * s}, more: true},
		{name: "both: off the grid first", schedule: "*/10 * * * * *", dueTime: "12500ms", want: []time.Duration{12500 * ms, 20 * s, 30 * s}, more: true},
		{name: "both: on the grid first", schedule: "*/10 * * * * *", dueTime: "20s", want: []time.Duration{20 * s, 30 * s, 40 * s}, more: true},
		{name: "repeats count all", schedule: "@every 1s", repeats: 3, want: []time.Duration{1 * s, 2 * s, 3 * s}},
		{name: "repeats count the due time", schedule: "@every 1s", dueTime: "2s", repeats: 3, want: []time.Duration{2 * s, 3 * s, 4 * s}},
		{name: "one repeat, only the due time", schedule: "@every 1s", dueTime: "2s", repeats: 1, want: []time.Duration{2 * s}},
		{name: "missed instants are all due", schedule: "@every 2s", dueTime: "-10s", repeats: 7, want: []time.Duration{-10 * s, -8 * s, -6 * s, -4 * s, -2 * s, 0, 2 * s}},
		{name: "the end is inclusive", schedule: "@every 1s", ttl: "3s", want: []time.Duration{1 * s, 2 * s, 3 * s}},
		{name: "the end is inclusive to the nanosecond", schedule: "@every 1s", ttl: "2999999999ns", want: []time.Duration{1 * s, 2 * s}},
		{name: "the end counts from the due time", schedule: "@every 1s", dueTime: "10s", ttl: "3s", want: []time.Duration{10 * s, 11 * s, 12 * s, 13 * s}},
		{name: "the end counts from a due time of now", schedule: "@every 1s", dueTime: "0s", ttl: "3s", want: []time.Duration{0, 1 * s, 2 * s, 3 * s}},
		{name: "the end may be the due time", schedule: "@every 1s", dueTime: "10s", ttl: "0s", want: []time.Duration{10 * s}},
		{name: "ten milliseconds", schedule: "@every 1ms", ttl: "10ms", want: []time.Duration{ms, 2 * ms, 3 * ms, 4 * ms, 5 * ms, 6 * ms, 7 * ms, 8 * ms, 9 * ms, 10 * ms}},
		{name: "the end comes before the repeats", schedule: "@every 1s", ttl: "2s", repeats: 5, want: []time.Duration{1 * s, 2 * s}},
		{name: "the repeats come before the end", schedule: "@every 1s", ttl: "5s", repeats: 2, want: []time.Duration{1 * s, 2 * s}},
		{name: "over before it begins", schedule: "@every 1s", ttl: "500ms"},
		{name: "over before now", schedule: "@every 1s", ttl: "-1h"},
		{name: "over before the calendar says so", schedule: "@yearly", ttl: "1h"},
		{name: "again immediately", schedule: "@every 0s", repeats: 2, want: []time.Duration{0, 0}},
		{name: "again immediately, later", schedule: "@every 0s", dueTime: "5s", ttl: "0s", repeats: 3, want: []time.Duration{5 * s, 5 * s, 5 * s}},
	} {
		words := when.Words{}
		for text, field := range map[string]**string{c.schedule: &words.Schedule, c.dueTime: &words.DueTime, c.ttl: &words.TTL} {
			if text != "" {
				*field = &text
			}
		}
		if c.repeats > 0 {
			words.Repeats = &c.repeats
		}
		plan, err := words.Resolve(start)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := dues(plan, start, 20)
		if c.more && len(got) == 20 {
			got = got[:len(c.want)]
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// An interval stays on its grid for ever, however fine the grid is.
func TestIntervalDoesNotDrift(t *testing.T) {
	const every = 333_333_333 * time.Nanosecond
	plan := when.Plan{First: now, Rule: when.Every(every)}
	last := time.Time{}
	for fired := range uint32(100_000) {
		due, ok := plan.Next(fired, last)
		if want := now.Add(time.Duration(fired) * every); !ok || due != want {
			t.Fatalf("Next(%d, %v) = %v, %v, want %v", fired, last, due, ok, want)
		}
		last = due
	}
}

func TestNextInstantDependsOnlyOnLast(t *testing.T) {
	plan := when.Plan{First: now, Rule: when.Every(time.Hour)}
	for _, last := range []time.Time{now, now.AddDate(-100, 0, 0), now.AddDate(100, 0, 0), now.Local()} {
		due, ok := plan.Next(5, last)
		if want := last.UTC().Add(time.Hour); !ok || due != want {
			t.Errorf("Next(5, %v) = %v, %v, want %v", last, due, ok, want)
		}
	}
}

// If the rules of a zone change after a job was due, the last instant may no
// longer match the schedule. The next one does.
func TestNextInstantFollowsCurrentZoneData(t *testing.T) {
	rule, err := when.ParseRule("TZ=Europe/Berlin 0 0 9 * * *")
	if err != nil {
		t.Fatal(err)
	}
	plan := when.Plan{First: now, Rule: rule}
	for _, last := range []time.Time{
		time.Date(2024, 7, 1, 6, 0, 0, 0, time.UTC), // as if summer were two hours ahead of winter
		time.Date(2024, 7, 1, 6, 59, 59, 999, time.UTC),
	} {
		due, ok := plan.Next(1, last)
		if want := time.Date(2024, 7, 1, 7, 0, 0, 0, time.UTC); !ok || due != want {
			t.Errorf("Next(1, %v) = %v, %v, want %v", last, due, ok, want)
		}
	}
}

func TestPlanEndsBeforeOverflow(t *testing.T) {
	most := time.Date(10000, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	for _, c := range []struct {
		plan  when.Plan
		fired uint32
		last  time.Time
	}{
		{when.Plan{First: now, Rule: when.Every(1)}, 1, most},
		{when.Plan{First: now, Rule: when.Every(math.MaxInt64)}, 1, most.AddDate(-292, 0, 0)},
		{when.Plan{First: now, Rule: when.Every(1)}, math.MaxUint32, most},
		{when.Plan{First: most.Add(1)}, 0, time.Time{}},
		{when.Plan{First: time.Date(-2, 12, 31, 23, 59, 59, 999_999_999, time.UTC)}, 0, time.Time{}},
		{when.Plan{First: now, Rule: when.Every(1), Repeats: math.MaxUint32}, math.MaxUint32, now},
		{when.Plan{First: now}, 1, now},
		{when.Plan{First: now, Until: now.Add(-1)}, 0, now},
	} {
		if due, ok := c.plan.Next(c.fired, c.last); ok || !due.IsZero() {
			t.Errorf("%v: Next(%d, %v) = %v, %v, want none", c.plan, c.fired, c.last, due, ok)
		}
	}
}
