package engine

import (
	"math"
	"testing"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
)

func TestEntryWithoutAJobStaysAndIsNotInFlight(t *testing.T) {
	m := newMachine(1, 100)
	m.own(0, store.Fence{})
	now := time.Unix(1000, 0).UTC()
	k := job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: "app"}, Name: "gone"}
	m.learn([]record.Entry{m.entry(k, now)}, false)
	picked := m.pick(now, 10)
	if len(picked) != 1 || m.inFlight.Held() != 1 {
		t.Fatalf("picked %d entries, %d are in flight; want one", len(picked), m.inFlight.Held())
	}
	if d := m.fire(picked[0], stored{}); d != nil {
		t.Errorf("a job that is not stored was fired: %+v", d)
	}
	if n := m.inFlight.Held(); n != 0 {
		t.Errorf("%d triggers are in flight, want none", n)
	}
	if w := m.batch.Writes; len(w) != 0 {
		t.Errorf("the batch has %v, want nothing: the entry is put in quarantine", w)
	}
}

func TestWindowsDoNotGrowWhileAllOfThemHaveWhatTheyMayHave(t *testing.T) {
	for _, c := range []struct{ others, size, window, wantSize, want int }{
		{0, 8, 4, 16, 12},
		{0, 8, 0, 16, 16},
		{0, 200, 10, 256, 246},
		{0, 256, 0, 256, 256},
		{101, 8, 4, 8, 4},
		{101, 2, 0, 4, 4},
		{101, 64, 10, 10, 0},
		{100, 8, 4, 16, 12},
	} {
		m := newMachine(1, 100)
		m.entries = c.others
		l := &lane{size: c.size, window: make([]attempt, c.window)}
		if got := m.grow(l); got != c.want || l.size != c.wantSize {
			t.Errorf("%+v: a window becomes one of %d, and %d are read", c, l.size, got)
		}
	}
}

func TestCountsOfAJobStayAtTheirMost(t *testing.T) {
	d := &delivery{state: record.State{Settled: math.MaxUint32, Attempts: math.MaxUint32}}
	if s, _ := d.after(job.Handled); s.Settled != math.MaxUint32 || s.Attempts != 0 {
		t.Errorf("a job that has settled all it can count has %+v afterwards", s)
	}
	d.policy = job.Policy{Interval: new(time.Duration)} // without an end
	if s, again := d.after(job.Failed); s.Attempts != math.MaxUint32 || !again {
		t.Errorf("a job that has failed as often as it can count has %+v afterwards, and is tried again: %v", s, again)
	}
}
