package machine

import (
	"fmt"
	"math"
	"testing"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
)

func TestEntryWithoutJobIsKept(t *testing.T) {
	m := New(Config{Partitions: 1, MaxInFlight: 100})
	m.AddPartition(0, store.Fence{})
	now := time.Unix(1000, 0).UTC()
	k := job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: "app"}, Name: "gone"}
	m.Load([]record.Entry{m.entry(k, now)}, false)
	picked := m.Pick(now, 10)
	if len(picked) != 1 || m.inFlight.Held() != 1 {
		t.Fatalf("picked %d entries, %d are in flight; want one", len(picked), m.inFlight.Held())
	}
	if d := m.Fire(picked[0], Stored{}); d != nil {
		t.Errorf("a job that is not stored was fired: %+v", d)
	}
	if n := m.inFlight.Held(); n != 0 {
		t.Errorf("%d triggers are in flight, want none", n)
	}
	if w := m.Batch.Writes; len(w) != 0 {
		t.Errorf("the batch has %v, want nothing: the entry is put in quarantine", w)
	}
}

func TestWindowsStopGrowingWhenFull(t *testing.T) {
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
		m := New(Config{Partitions: 1, MaxInFlight: 100})
		m.windowEntries = c.others
		l := &Lane{size: c.size, window: make([]Attempt, c.window)}
		if got := m.GrowWindow(l); got != c.want || l.size != c.wantSize {
			t.Errorf("%+v: a window becomes one of %d, and %d are read", c, l.size, got)
		}
	}
}

func TestCountsSaturate(t *testing.T) {
	d := &Delivery{State: record.State{Settled: math.MaxUint32, Attempts: math.MaxUint32}}
	if s, _ := d.stateAfter(job.Handled); s.Settled != math.MaxUint32 || s.Attempts != 0 {
		t.Errorf("a job that has settled all it can count has %+v afterwards", s)
	}
	d.policy = job.Policy{Interval: new(time.Duration)} // without an end
	if s, again := d.stateAfter(job.Failed); s.Attempts != math.MaxUint32 || !again {
		t.Errorf("a job that has failed as often as it can count has %+v afterwards, and is tried again: %v", s, again)
	}
}

// appKey returns the key of a job of an app.
func appKey(app string, n int) job.Key {
	return job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: app}, Name: fmt.Sprint(n)}
}
