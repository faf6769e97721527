package bench_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/bench"
)

// deliver returns a ledger of deliveries, each a name and when it came.
func deliver(start time.Time, deliveries ...any) *bench.Ledger {
	l := bench.NewLedger(1)
	for i := 0; i < len(deliveries); i += 2 {
		l.Add(deliveries[i].(string), start.Add(deliveries[i+1].(time.Duration)))
	}
	return l
}

func TestLedgerClassifiesOccurrences(t *testing.T) {
	start := time.Now()
	once := bench.NewExpectation(3, 1, func(int, int) time.Time { return start })
	thrice := bench.NewExpectation(1, 3, func(_, k int) time.Time { return start.Add(time.Duration(k) * time.Second) })
	for name, test := range map[string]struct {
		ledger *bench.Ledger
		plan   bench.Expectation
		want   bench.Count
	}{
		"all is well": {deliver(start, "2", 0*time.Second, "0", time.Second, "1", time.Hour), once, bench.Count{Want: 3, Distinct: 3}},
		"one is lost": {deliver(start, "2", 0*time.Second, "0", time.Second), once, bench.Count{Want: 3, Distinct: 2, Lost: 1}},
		"no delivery": {deliver(start), once, bench.Count{Want: 3, Lost: 3}},
		"one is early": {
			deliver(start, "0", -time.Nanosecond, "1", time.Second, "2", time.Second), once,
			bench.Count{Want: 3, Distinct: 3, Early: 1},
		},
		"one is delivered twice": {
			deliver(start, "0", time.Second, "0", time.Second, "1", time.Second, "2", time.Second), once,
			bench.Count{Want: 3, Distinct: 3, Duplicates: 1},
		},
		"a duplicate replaces no other job": {
			deliver(start, "0", time.Second, "0", time.Second, "1", time.Second), once,
			bench.Count{Want: 3, Distinct: 2, Duplicates: 1, Lost: 1},
		},
		"an unknown job": {
			deliver(start, "0", time.Second, "3", time.Second, "x", time.Second, "-1", time.Second, "1", time.Second, "2", time.Second), once,
			bench.Count{Want: 3, Distinct: 3, Unknown: 3},
		},
		"a recurring job": {
			deliver(start, "0", time.Millisecond, "0", 1001*time.Millisecond, "0", 2*time.Second), thrice,
			bench.Count{Want: 3, Distinct: 3},
		},
		"the second is early": {
			deliver(start, "0", time.Millisecond, "0", 999*time.Millisecond, "0", 2*time.Second), thrice,
			bench.Count{Want: 3, Distinct: 3, Early: 1},
		},
		"one too many": {
			deliver(start, "0", time.Second, "0", 2*time.Second, "0", 3*time.Second, "0", 4*time.Second), thrice,
			bench.Count{Want: 3, Distinct: 3, Duplicates: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := test.ledger.Count(test.plan)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
			if bad := name != "all is well" && name != "a recurring job"; (got.Fault() != "") != bad {
				t.Errorf("the fault is %q", got.Fault())
			}
		})
	}
}

func TestLatenessCountsEveryTrigger(t *testing.T) {
	start := time.Now()
	p := bench.NewExpectation(2, 2, func(job, k int) time.Time { return start.Add(time.Duration(10*job+k) * time.Second) })
	l := deliver(start, "0", 3*time.Second, "1", 10*time.Second, "1", 15*time.Second, "0", 2*time.Second, "7", time.Hour)
	got := slices.Sorted(slices.Values(l.Lateness(p)))
	if diff := cmp.Diff([]time.Duration{0, 2 * time.Second, 2 * time.Second, 4 * time.Second}, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}
