package explain_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"carillon/internal/explain"
	"carillon/internal/when"
)

// Words that are read again mean the same as the rule, for each of many schedules.
func TestWordsMeanWhatTheRuleMeans(t *testing.T) {
	t.Parallel()
	const schedules = 10_000
	r := rand.New(rand.NewPCG(1, 2))
	custom, checked := 0, 0
	for range schedules {
		schedule := randomSchedule(r)
		rule, err := when.ParseRule(schedule)
		if err != nil {
			continue // a date that no month has
		}
		checked++
		if strings.HasPrefix(checkWords(t, schedule, rule), "custom: ") {
			custom++
		}
	}
	t.Logf("%d of %d schedules are custom", custom, checked)
	if checked < schedules*9/10 || custom == 0 || custom > checked/4 {
		t.Errorf("%d schedules of %d were read, and %d are custom: want nearly all, and some", checked, schedules, custom)
	}
}

func TestIntervalWordsMeanTheInterval(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 5_000 {
		every := time.Duration(r.Int64N(1 << (1 + r.IntN(62))))
		if r.IntN(2) == 0 {
			every = time.Duration(r.IntN(200)) * pick(r, time.Millisecond, time.Second, time.Minute, time.Hour)
		}
		checkWords(t, every.String(), when.Every(every))
	}
}

// checkWords fails unless the words of a rule mean what it means. It returns them.
func checkWords(t *testing.T, schedule string, rule when.Rule) string {
	t.Helper()
	words := explain.Schedule{Plan: when.Plan{Rule: rule}}.Words()
	got, err := readWords(words)
	if err != nil {
		t.Fatalf("%s is in words %q: %v", schedule, words, err)
	}
	if want := meaningOf(rule); *got != *want {
		t.Fatalf("%s is in words %q, which means something else", schedule, words)
	}
	if len(words) > 1000 {
		t.Fatalf("%s has %d bytes of words", schedule, len(words))
	}
	return words
}
