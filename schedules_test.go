package carillon_test

import (
	"testing"

	"carillon/internal/explain"
	"carillon/internal/when"
)

// TestPageShowsSchedulesInWords checks the table of docs/schedules.md.
func TestPageShowsSchedulesInWords(t *testing.T) {
	all := rows(section(t, read(t, "docs/schedules.md"), "Read a schedule"))
	if len(all) < 10 {
		t.Errorf("docs/schedules.md has %d schedules in words: this test reads it wrongly", len(all))
	}
	for _, row := range all {
		schedule := code(row[0])[0]
		rule, err := when.ParseRule(schedule)
		if err != nil {
			t.Errorf("%s: %v", schedule, err)
			continue
		}
		if got := (explain.Schedule{Plan: when.Plan{Rule: rule}}).Words(); got != row[1] {
			t.Errorf("%s is %q in words, and %q in docs/schedules.md", schedule, got, row[1])
		}
	}
}
