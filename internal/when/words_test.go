package when_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"carillon/internal/when"
)

// refused checks that words were refused, for the field and in the text given.
func refused(t *testing.T, words string, got when.Plan, err error, field, reason string) {
	t.Helper()
	var e *when.Error
	if !errors.As(err, &e) || e.Field != field || e.Reason != reason || got != (when.Plan{}) {
		t.Errorf("%s = %v, %v, want no plan and the error %q about %s", words, got, err, reason, field)
	}
}

// Everything is wrong with the first words. Each line puts right what the one
// before was refused for.
func TestWordsAreCheckedInOrder(t *testing.T) {
	for _, c := range []struct {
		words         when.Words
		field, reason string
	}{
		{when.Words{TTL: new("x"), Repeats: new(uint32(0))}, "schedule", "job must have either a due time or a schedule"},
		{when.Words{DueTime: new("x"), TTL: new("x"), Repeats: new(uint32(2))}, "repeats", "job must have a schedule to repeat"},
		{when.Words{DueTime: new("x"), TTL: new("x"), Repeats: new(uint32(0))}, "repeats", "defined repeats must be greater than 0"},
		{when.Words{DueTime: new("x"), TTL: new("x"), Repeats: new(uint32(1))}, "ttl", "job must have a schedule to have a ttl"},
		{when.Words{DueTime: new("x"), TTL: new("x")}, "ttl", "job must have a schedule to have a ttl"},
		{when.Words{Schedule: new("x"), DueTime: new("x"), TTL: new("x"), Repeats: new(uint32(0))}, "repeats", "defined repeats must be greater than 0"},
		{when.Words{Schedule: new(""), DueTime: new("x"), TTL: new("x")}, "schedule", "empty spec string"},
		{when.Words{Schedule: new("x"), DueTime: new("x"), TTL: new("x")}, "schedule", "expected exactly 6 fields, found 1: [x]"},
		{
			when.Words{Schedule: new("@every 0s"), DueTime: new("x"), TTL: new("x")},
			"schedule",
			"@every 0s without repeats would be due for ever at one instant: add repeats or a longer interval",
		},
		{when.Words{Schedule: new("@every 1s"), DueTime: new("x"), TTL: new("x")}, "due_time", "due time format not recognized"},
		{when.Words{Schedule: new("@every 1s"), DueTime: new("R1/PT1S"), TTL: new("x")}, "due_time", "repeats not supported for due time"},
		{when.Words{Schedule: new("@every 1s"), DueTime: new("10s"), TTL: new("x")}, "ttl", "ttl format not recognized"},
		{when.Words{Schedule: new("@every 1s"), DueTime: new("10s"), TTL: new("-1ns")}, "ttl", "ttl must be greater than due time"},
		{
			when.Words{Schedule: new("@every 2500000h"), DueTime: new("9999-12-31T23:59:59.5Z"), TTL: new("0s")},
			"schedule",
			"schedule @every 2500000h is never due after 9999-12-31T23:59:59.5Z: correct it",
		},
	} {
		got, err := c.words.Resolve(now)
		refused(t, "words", got, err, c.field, c.reason)
	}
}

func TestRepeatsOfOneNeedNoSchedule(t *testing.T) {
	got, err := when.Words{DueTime: new("1s"), Repeats: new(uint32(1))}.Resolve(now)
	if want := (when.Plan{First: now.Add(time.Second), Repeats: 1}); err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestZeroIntervalNeedsRepeats(t *testing.T) {
	for _, w := range []when.Words{
		{Schedule: new("@every 0s")},
		{Schedule: new("@every 0s"), TTL: new("1h")},
		{Schedule: new("@every 0s"), DueTime: new("1h")},
		{Schedule: new("@every 0s"), DueTime: new("1h"), TTL: new("1h")},
		{Schedule: new("@every -0h")},
	} {
		got, err := w.Resolve(now)
		refused(t, *w.Schedule, got, err, "schedule",
			*w.Schedule+" without repeats would be due for ever at one instant: add repeats or a longer interval")
	}
}

func TestZeroIntervalIsDueAtMost1000Times(t *testing.T) {
	for repeats, want := range map[uint32]bool{1: true, 1000: true, 1001: false, math.MaxUint32: false} {
		_, err := when.Words{Schedule: new("@every 0s"), Repeats: &repeats}.Resolve(now)
		if (err == nil) != want {
			t.Errorf("%d times: %v, want accepted %v", repeats, err, want)
		}
	}
}

// Whatever clock now comes from, a plan is in UTC, and two of the same words
// are the same.
func TestPlanIsInUTCWithoutMonotonicReading(t *testing.T) {
	words := when.Words{Schedule: new("@every 1h"), TTL: new("P1D")}
	local := time.Now().In(time.FixedZone("somewhere", 5*3600))
	got, err := words.Resolve(local)
	if err != nil {
		t.Fatal(err)
	}
	want, err := words.Resolve(time.Unix(0, local.UnixNano()).UTC())
	if err != nil || got != want {
		t.Errorf("got %v, want %v, %v", got, want, err)
	}
}

func TestEndedScheduleIsRefused(t *testing.T) {
	end := time.Date(10000, 12, 31, 23, 59, 59, 0, time.UTC)
	for _, w := range []when.Words{
		{Schedule: new("* * * * * *")},
		{Schedule: new("@every 1s")},
		{Schedule: new("@yearly")},
	} {
		start := "10000-12-31T23:59:59Z"
		got, err := w.Resolve(end)
		refused(t, *w.Schedule, got, err, "schedule", "schedule "+*w.Schedule+" is never due after "+start+": correct it")
	}
}

func TestTooShortIntervalsAreRefused(t *testing.T) {
	for _, words := range []when.Words{
		{Schedule: new("@every 1ns")},
		{Schedule: new("@every 999us999ns"), DueTime: new("10s")},
		{Schedule: new("@every 0.5ms"), Repeats: new(uint32(2))},
	} {
		got, err := words.Resolve(now)
		refused(t, *words.Schedule, got, err, "schedule", *words.Schedule+" is too often: an interval is at least 1ms")
	}
	for _, words := range []when.Words{
		{Schedule: new("@every 1ms")},
		{Schedule: new("@every 1500us")},
		{Schedule: new("@every 1000001ns")},
		{Schedule: new("@every 0s"), Repeats: new(uint32(2))},
	} {
		if _, err := words.Resolve(now); err != nil {
			t.Errorf("%s = %v, want a plan", *words.Schedule, err)
		}
	}
}
