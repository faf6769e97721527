package bench_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/bench"
)

func TestRatioUsesSurroundingBaselines(t *testing.T) {
	baselines, values := []float64{100, 300, 100, 100}, []float64{100, 50, 80}
	next := func(from *[]float64) func(context.Context) (float64, error) {
		return func(context.Context) (float64, error) {
			v := (*from)[0]
			*from = (*from)[1:]
			return v, nil
		}
	}
	got, err := bench.Between(t.Context(), 3, next(&baselines), next(&values))
	if err != nil {
		t.Fatal(err)
	}
	want := bench.RowResult{ // the rounds are 100 ÷ 200, 50 ÷ 200 and 80 ÷ 100
		Value: 80, Ratio: 0.5, Baseline: &bench.Baseline{Name: "baseline", Value: 150, Values: []float64{100, 300, 100, 100}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestVerdictFollowsTarget(t *testing.T) {
	more, less := bench.Threshold{Must: 0.6, Aim: 0.8}, bench.Threshold{Must: 50, Aim: 10, LessIsBetter: true}
	baseline := &bench.Baseline{Name: "baseline", Value: 100}
	for name, test := range map[string]struct {
		result bench.RowResult
		want   bench.Verdict
	}{
		"as much as the aim":     {bench.RowResult{Value: 80, Baseline: baseline, Ratio: 0.8, Threshold: more}, bench.MetAim},
		"a ratio in between":     {bench.RowResult{Value: 70, Baseline: baseline, Ratio: 0.7, Threshold: more}, bench.MetMust},
		"a ratio that is lower":  {bench.RowResult{Value: 50, Baseline: baseline, Ratio: 0.5, Threshold: more}, bench.Below},
		"less is better":         {bench.RowResult{Value: 10, Threshold: less}, bench.MetAim},
		"a value in between":     {bench.RowResult{Value: 11, Threshold: less}, bench.MetMust},
		"a value that is higher": {bench.RowResult{Value: 51, Threshold: less}, bench.Below},
		"a value with a baseline": {
			bench.RowResult{Value: 30, Baseline: baseline, Ratio: 0.3, Threshold: bench.Threshold{Must: 15, Aim: 25, Absolute: true}}, bench.MetAim,
		},
		"no value":     {bench.RowResult{Threshold: less}, bench.Unknown},
		"no threshold": {bench.RowResult{Value: 1}, bench.Unknown},
		"not measured": {bench.RowResult{Value: 1, Threshold: less, Error: "it was not there"}, bench.Unknown},
	} {
		if got := test.result.Judged(0).Verdict; got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestThroughputTargetScalesWithMachine(t *testing.T) {
	rate := bench.Threshold{Must: 15_000, Aim: 25_000, Speed: true}
	cost := bench.Threshold{Must: 110, Aim: 70, LessIsBetter: true, Speed: true}
	for name, test := range map[string]struct {
		result   bench.RowResult
		slowdown float64
		want     bench.Verdict
	}{
		"half the rate on half the machine":  {bench.RowResult{Value: 7_500, Threshold: rate}, 2, bench.MetMust},
		"less than that":                     {bench.RowResult{Value: 7_499, Threshold: rate}, 2, bench.Below},
		"twice the cost on half the machine": {bench.RowResult{Value: 140, Threshold: cost}, 2, bench.MetAim},
		"on a faster machine":                {bench.RowResult{Value: 60, Threshold: cost}, 0.5, bench.Below},
		"an unknown slowdown":                {bench.RowResult{Value: 60, Threshold: cost}, 0, ""},
		"a threshold that does not scale":    {bench.RowResult{Value: 60, Threshold: bench.Threshold{Must: 110, Aim: 70, LessIsBetter: true}}, 2, ""},
	} {
		if got := test.result.Judged(test.slowdown).ScaledVerdict; got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// report returns one of each kind of result.
func report() bench.Report {
	r := bench.Report{
		At: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC), Took: 61, Server: "carillon", Sizes: bench.Quick(),
		Callers: 128, Connections: 4, Payload: 64, Slowdown: 2,
		Machine: bench.Hardware{
			OS: "linux/amd64", Processors: 2, Model: "Abacus", Memory: 8 << 30, FileSystem: "ext4 (/dev/sda)", Go: "go1.26", Sync: 208, Load: 0.25,
		},
	}
	for _, res := range []bench.RowResult{
		{
			Row: 1, Measure: "durable schedule", Value: 30_600, Unit: "/s", Baseline: &bench.Baseline{Name: "unary echo", Value: 51_000},
			Ratio: 0.6, Threshold: bench.Threshold{Must: 0.6, Aim: 0.8}, Count: &bench.Count{Want: 1000, Distinct: 1000},
			Detail: []bench.Figure{{"synced append", 40_000, "/s"}},
		},
		{Row: 2, Measure: "server CPU per schedule", Unit: "µs", Threshold: bench.Threshold{Must: 45, Aim: 32, LessIsBetter: true}},
		{
			Row: 12, Measure: "HTTP schedule", Value: 14_000, Unit: "/s", Baseline: &bench.Baseline{Name: "HTTP echo", Value: 28_000},
			Ratio: 0.5, Threshold: bench.Threshold{Must: 15_000, Aim: 25_000, Absolute: true, Speed: true}, Count: &bench.Count{Want: 10, Distinct: 9, Lost: 1},
		},
		{Row: 16, Measure: "isolation", Error: "it hung up"},
	} {
		r.Results = append(r.Results, res.Judged(2))
	}
	return r
}

func TestTableShowsMeasurements(t *testing.T) {
	const want = `
#   measure                  value         baseline             ratio  must        aim         verdict
1   durable schedule         30,600/s      unary echo 51,000/s  0.60   ≥ 0.60      ≥ 0.80      met must
2   server CPU per schedule  unknown                                   ≤ 45 µs     ≤ 32 µs     unknown
12  HTTP schedule            14,000/s      HTTP echo 28,000/s   0.50   ≥ 15,000/s  ≥ 25,000/s  below; scaled to this machine: met aim
16  isolation                not measured                                                      unknown

  1 durable schedule: synced append 40,000/s; counted 1,000 of 1,000
  12 HTTP schedule: counted 9 of 10

Slowdown: a unary echo takes 2 times the processor time that it takes on the reference machine.

Measured: carillon, quick sizes, 128 callers over 4 connections, 64 bytes of data, in 61 s on 2027-01-02.
Machine: linux/amd64, 2 × Abacus, 8 GiB of memory, data on ext4 (/dev/sda), a sync of a small append takes 208 µs, go1.26; load before the run 0.25.
`
	var got strings.Builder
	if err := report().Table(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), got.String()); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestMarkdownTableEqualsText(t *testing.T) {
	var got strings.Builder
	if err := report().Markdown(&got); err != nil {
		t.Fatal(err)
	}
	const want = `| # | measure | value | baseline | ratio | must | aim | verdict |
|---|---|---|---|---|---|---|---|
| 1 | durable schedule | 30,600/s | unary echo 51,000/s | 0.60 | ≥ 0.60 | ≥ 0.80 | met must |
`
	if !strings.HasPrefix(got.String(), want) {
		t.Errorf("got\n%s\nwant it to begin with\n%s", got.String(), want)
	}
}

func TestReportSurvivesJSON(t *testing.T) {
	text, err := json.Marshal(report())
	if err != nil {
		t.Fatal(err)
	}
	var got bench.Report
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report(), got); diff != "" {
		t.Errorf("written (-), read (+):\n%s", diff)
	}
}

func TestErrorNamesRow(t *testing.T) {
	want := []string{
		"row 12, HTTP schedule: of 10 occurrences 1 lost, 0 early, 0 twice, 0 unexpected",
		"row 16, isolation: it hung up",
	}
	if diff := cmp.Diff(want, report().Faults()); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}
