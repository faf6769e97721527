package simulate_test

import (
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSeedIsDeterministic(t *testing.T) {
	for seed := range uint64(50) {
		if a, b := newProgram(seed).String(), newProgram(seed).String(); a != b {
			t.Fatalf("seed %d:\n%s", seed, cmp.Diff(a, b))
		}
	}
}

// TestSeedReplaysTheSameHistory runs worlds twice, and holds that the same happens at the same nanoseconds; the order
// at one instant is Go's, so that no two users do something at one. They are worlds that lose no connection: when those
// connect again is Go's, too.
func TestSeedReplaysTheSameHistory(t *testing.T) {
	for seed := range uint64(2) {
		p := newProgram(seed)
		p.maxOut = 1000 // so that the order is of no account
		p.faults = []faultProgram{
			{at: 9 * time.Second, kind: slowDisk, lasts: 11 * time.Second, n: 70},
			{at: 30 * time.Second, kind: hungDisk, lasts: 4 * time.Second},
		}
		for i, u := range p.users { // none at the instant of another
			for j := range u.steps {
				u.steps[j].at += time.Duration(100*i+j) * time.Microsecond
			}
		}
		for n, a := range p.apps { // whose turn it is, of those to whom two triggers go at one instant, is Go's
			p.apps[n].copies = a.copies[:1]
			for i := range a.copies {
				for j, m := range a.copies[i].moods {
					if m.mood == away || m.mood == hanging {
						a.copies[i].moods[j].mood = failing
					}
				}
			}
		}
		first, second := essence(simulate(t, p, plant{}, io.Discard)), essence(simulate(t, p, plant{}, io.Discard))
		if len(first) < 100 {
			t.Errorf("seed %d: only %d events: this proves little", seed, len(first))
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("seed %d: %s", seed, diff)
		}
	}
}

// essence is what has happened to jobs, and when, without what was first at one instant.
func essence(h *history) []string {
	var all []string
	for _, e := range h.all() {
		if e.at >= end {
			break
		}
		switch e.what {
		case asked, answered, resolved, delivered, ended, arrived, left:
			all = append(all, fmt.Sprintf("%12d %s %s %s v%d %s %d %s %s %v", e.at, e.what, e.who, e.key, e.version,
				e.due.Format(time.RFC3339Nano), e.attempt, e.outcome, e.result, e.found))
		default: // of no account to users
		}
	}
	slices.Sort(all)
	return all
}
