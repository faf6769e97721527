package carillon_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestEachPromiseNamesItsTests checks that docs/trust.md has every promise of docs/architecture.md, and that
// the tests that it names exist.
func TestEachPromiseNamesItsTests(t *testing.T) {
	all, trust := tests(t), read(t, "docs/trust.md")
	promises := rows(section(t, trust, "What is promised"))
	promised := section(t, read(t, "docs/architecture.md"), "What it promises")
	if n := strings.Count(promised, ". **"); n != len(promises) {
		t.Errorf("docs/architecture.md promises %d things, and docs/trust.md shows %d", n, len(promises))
	}
	for _, row := range promises {
		if _, rest, _ := strings.Cut(promised, "**"+row[0]+".**"); rest == "" {
			t.Errorf("docs/trust.md shows %q, which docs/architecture.md does not promise", row[0])
		}
	}
	for _, row := range append(promises, rows(section(t, trust, "What others met"))...) {
		shown := code(row[len(row)-1])
		if len(shown) == 0 && !strings.Contains(row[len(row)-1], "not yet") {
			t.Errorf("%q: no test shows it", row[0])
		}
		for _, name := range shown {
			if !all[name] {
				t.Errorf("%q: there is no %s", row[0], name)
			}
		}
	}
}

// TestFieldReportsAreNumberedInOrder checks that problems that others met keep their numbers, because tests
// name them.
func TestFieldReportsAreNumberedInOrder(t *testing.T) {
	last := 0
	for _, row := range rows(section(t, read(t, "docs/trust.md"), "What others met")) {
		var n int
		if _, err := fmt.Sscan(row[0], &n); err != nil || n <= last {
			t.Errorf("%q follows %d", row[0], last)
		}
		last = n
	}
}
