package engine

import (
	"fmt"
	"testing"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
	"carillon/internal/when"
)

func TestMemoryIsIndependentOfStoredJobs(t *testing.T) {
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
func (lp *loop) inMemory() int { return lp.machine.Stats(time.Time{}).Entries }

// The sizes of windows, as in the machine.
const (
	tinyWindow = 2
	minWindow  = 8
)

func TestTurnFiresLimitedNumber(t *testing.T) {
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
		if _, ok := s.machine.Next(); !ok {
			break
		}
	}
	if got := s.machine.Stats(s.now).Out; got != 1000 {
		t.Errorf("%d are in flight, want all 1000", got)
	}
}

func TestWindowsTogetherAreBounded(t *testing.T) {
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
	s.load(t)
	if n, most := s.inMemory(), limit+minWindow+tinyWindow*targets; n > most {
		t.Errorf("%d entries are in memory after a start, want %d at most", n, most)
	}
	if err := s.check(t.Context()); err != nil {
		t.Error(err)
	}
}

// The lanes of hung apps were throttled while windows had space, and then get more jobs.
func TestWindowsOfHungAppsTogetherAreBounded(t *testing.T) {
	const limit, targets, jobs = 100, 200, 40
	s := newNarrowScript(t, 1, limit)
	for i := range targets * jobs { // each target gets one job after the other
		k := job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: fmt.Sprint("app", i%targets)}, Name: fmt.Sprint(i)}
		s.put(t, k, job.Spec{Plan: when.Plan{First: s.now}, Policy: job.DefaultPolicy()}, false)
		if i%10 == 0 {
			if err := s.turn(t.Context(), s.now, s.limit); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n, most := s.inMemory(), limit+tinyWindow*targets; n > most {
		t.Errorf("%d entries are in memory, want %d at most", n, most)
	}
	if err := s.check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestScanSkipsMalformedKeysWithinLimit(t *testing.T) {
	s := newScript(t, 1)
	var b store.Batch
	for i := range 12 {
		b.Put(record.DueKey(s.entry(appKey("app", i), s.now.Add(time.Duration(i)))), nil)
		b.Put(append(record.DueKey(s.entry(appKey("app", i), s.now.Add(time.Duration(i)))), 'x'), nil)
	}
	if err := s.db.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	for limit := 1; limit < 15; limit++ {
		read, err := s.scan(t.Context(), record.PartitionRange(0), limit)
		if err != nil || len(read) != min(limit, 12) {
			t.Errorf("a scan of up to %d entries returns %d of 12, %v", limit, len(read), err)
		}
		for i, e := range read {
			if e.Key != appKey("app", i) {
				t.Errorf("a scan of up to %d entries returns %s in the place %d", limit, e.Key, i)
			}
		}
	}
}

func TestReadsShrinkAfterLargeRecords(t *testing.T) {
	s := newScript(t, 1)
	spec := job.Spec{Plan: when.Plan{First: s.now.Add(time.Hour)}, Policy: job.DefaultPolicy(), Data: &job.Data{Value: make([]byte, 1<<20)}}
	s.put(t, appKey("app", 1), spec, false)
	read := func(n int) {
		t.Helper()
		if _, _, err := s.readRecords(t.Context(), []job.Key{appKey("app", n)}); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.readSize(); got != commandKeys {
		t.Errorf("before any was large, %d records are read at a time, want %d", got, commandKeys)
	}
	read(1)
	if got := s.readSize(); got != 3 {
		t.Errorf("after one of a MiB, %d records are read at a time, want 3", got)
	}
	read(2) // which is not there
	if got := s.readSize(); got != 5 {
		t.Errorf("after one of a MiB and one that was small, %d records are read at a time, want 5", got)
	}
	for range 50 {
		read(2)
	}
	if got := s.readSize(); got != commandKeys {
		t.Errorf("long after one of a MiB, %d records are read at a time, want %d", got, commandKeys)
	}
}

func TestFullBacklogWithoutOutcomesWaitsForDueJob(t *testing.T) {
	s := newScript(t, 1)
	s.put(t, appKey("app", 1), job.Spec{Plan: when.Plan{First: s.now.Add(time.Hour)}, Policy: job.DefaultPolicy()}, false)
	for _, kept := range []int{0, 1} {
		s.degraded.backlogFull, s.degraded.kept = true, make([]endedDelivery, kept)
		if _, due, ok := s.nextTurn(); !ok || due.IsZero() != (kept > 0) {
			t.Errorf("with %d outcomes kept, a loop waits for what is due at %v, %v", kept, due, ok)
		}
	}
}
