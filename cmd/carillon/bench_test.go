package main

import (
	"os"
	"testing"
	"time"

	"carillon/internal/bench"
)

// TestBenchMeasuresEverythingThatItPrints runs all measures on real servers, very small.
func TestBenchMeasuresEverythingThatItPrints(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	report, err := bench.Run(t.Context(), bench.Config{
		Sizes: bench.Sizes{
			Rounds: 1, Window: 100 * time.Millisecond, Calls: 5, Burst: 200, Recurring: 50, Repeats: 2, Idle: 200 * time.Millisecond,
			Few: 100, List: 200, Stored: 300, Hung: 100, Beside: 100, Busy: 200, Overload: 100 * time.Millisecond, Rest: 10 * time.Millisecond,
			Linger: 50 * time.Millisecond, Patience: 30 * time.Second,
		},
		Callers: 8, Connections: 2, Payload: 64, Dir: dir,
		Command: []string{exe, "bench", "child"}, Env: append(childEnv(os.Environ()), "CARILLON_TEST_MAIN=1", "GORACE=atexit_sleep_ms=0"),
	}, func(p bench.Progress) { t.Logf("%s %s", p.Elapsed.Round(time.Millisecond), progressLine(p)) })
	if err != nil {
		t.Fatal(err)
	}
	if faults := report.Faults(); len(faults) > 0 {
		t.Errorf("faults: %q", faults)
	}
	rows := map[int]bool{}
	for _, r := range report.Results {
		rows[r.Row] = true
		if r.Row != 5 && r.Value == 0 && r.Unit != "µs" { // processor time is in ticks, and may be none
			t.Errorf("row %d, %s: nothing was measured", r.Row, r.Measure)
		}
	}
	for _, row := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20} {
		if !rows[row] {
			t.Errorf("row %d is missing", row)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v behind (%v), want nothing", left, err)
	}
}
