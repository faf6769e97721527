package engine

import (
	"fmt"
	"testing"
	"time"

	"carillon/internal/job"
	"carillon/internal/when"
)

func TestMemoryDoesNotGrowWithWhatIsStored(t *testing.T) {
	s := newScript(t, 1)
	for i := range 3000 {
		k := job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: "app"}, Name: fmt.Sprint(i)}
		spec := job.Spec{Plan: when.Plan{First: s.now.Add(time.Duration(1+i*7919%3000) * time.Hour)}, Policy: job.DefaultPolicy()}
		s.put(t, k, spec, false)
	}
	if n := s.inMemory(); n > minWindow {
		t.Errorf("%d entries are in memory with 3000 jobs stored, want %d at most", n, minWindow)
	}
	s.load(t)
	if n := s.inMemory(); n > minWindow {
		t.Errorf("%d entries are in memory after a start, want %d at most", n, minWindow)
	}
	if err := s.check(t.Context()); err != nil {
		t.Error(err)
	}
	s.wait(t, s.now.Add(5000*time.Hour))
	if got := len(s.deliveries()); got != 3000 {
		t.Errorf("%d jobs were delivered, want all 3000", got)
	}
}

// inMemory counts the entries of all windows.
func (lp *loop) inMemory() int {
	n := 0
	for _, l := range lp.machine.lanes {
		n += len(l.window)
	}
	return n
}

func TestATurnFiresABoundedNumber(t *testing.T) {
	s := newScript(t, 1)
	s.limit.fires = 0
	for i := range 1000 {
		k := job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: fmt.Sprint("app", i%7)}, Name: fmt.Sprint(i)}
		s.put(t, k, job.Spec{Plan: when.Plan{First: s.now.Add(time.Hour)}, Policy: job.DefaultPolicy()}, false)
	}
	s.limit.fires = 100
	s.now = s.now.Add(time.Hour)
	for turn := range 1000 {
		if err := s.turn(t.Context(), s.now, s.limit); err != nil {
			t.Fatal(err)
		}
		got := s.deliveries()
		if len(got) > 100 {
			t.Errorf("turn %d fired %d, want 100 at most", turn, len(got))
		}
		if _, ok := s.machine.next(); !ok {
			break
		}
	}
	if got := len(s.machine.out); got != 1000 {
		t.Errorf("%d are out, want all 1000", got)
	}
}

func TestWindowsHaveABoundTogether(t *testing.T) {
	const limit, targets, jobs = 100, 200, 20
	s := newNarrowScript(t, 1, limit)
	for i := range targets * jobs { // each target gets one job after the other
		k := job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: fmt.Sprint("app", i%targets)}, Name: fmt.Sprint(i)}
		s.put(t, k, job.Spec{Plan: when.Plan{First: s.now.Add(time.Hour)}, Policy: job.DefaultPolicy()}, false)
	}
	if n, most := s.inMemory(), limit+tinyWindow*targets; n > most {
		t.Errorf("%d entries are in memory, want %d at most", n, most)
	}
	if err := s.check(t.Context()); err != nil {
		t.Error(err)
	}
}
