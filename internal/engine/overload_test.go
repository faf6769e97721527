package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/logtest"
	"carillon/internal/store"
)

// A pacedStore takes its time for each commit, however much it writes: with it a loop has a known capacity.
type pacedStore struct {
	store.Store
	takes time.Duration
}

func (s pacedStore) Commit(ctx context.Context, b *store.Batch) error {
	time.Sleep(s.takes)
	return s.Store.Commit(ctx, b)
}

// flood schedules so many jobs of an app that are always due again when they have been handled.
func flood(t *testing.T, e *engine.Engine, app string, n int) {
	t.Helper()
	all := make([]job.Request, n)
	for i := range all {
		s := every(time.Now(), time.Millisecond)
		all[i] = job.Request{Key: key(app, fmt.Sprint(i)), Spec: s}
	}
	for _, err := range e.ScheduleAll(t.Context(), all) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestBusyAppsDelayNoCall has apps with far more work than the node can do, and asks what another app's calls and jobs
// notice: they wait for the turn under way, and take the next.
func TestBusyAppsDelayNoCall(t *testing.T) {
	for _, busy := range []int{1, 20} {
		t.Run(fmt.Sprint(busy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const commit = 20 * time.Millisecond
				a := &app{answer: func(tr job.Trigger) (job.Outcome, time.Duration) {
					if strings.HasPrefix(tr.Key.Target.Name, "failing") {
						return job.Failed, time.Millisecond
					}
					return job.Handled, time.Millisecond
				}}
				db := open(t, vfs.NewMem())
				e, stop := run(t, pacedStore{db, commit}, a, engine.Config{Loops: 1, MaxInFlight: 4000})
				for n := range busy {
					flood(t, e, fmt.Sprint([]string{"busy", "failing"}[n%2], n), 6000/busy)
				}
				time.Sleep(300 * time.Millisecond)
				var calls sync.WaitGroup
				for i := range 25 {
					calls.Go(func() {
						name, begin := fmt.Sprint(i), time.Now()
						if err := e.Schedule(t.Context(), key("other", name), once(begin.Add(150*time.Millisecond)), false); err != nil {
							t.Error(err)
						}
						if took := time.Since(begin); took > 3*commit {
							t.Errorf("a call took %v, want two commits of %v or so", took, commit)
						}
					})
					time.Sleep(11 * time.Millisecond)
				}
				calls.Wait()
				time.Sleep(400 * time.Millisecond)
				stop()
				others, handled := 0, 0
				for _, tr := range a.triggers(t) {
					if tr.Key.Target.Name == "other" {
						others++
					} else {
						handled++
					}
				}
				if others != 25 || a.latest("other") > 3*commit {
					t.Errorf("of 25 jobs %d came, the latest %v late, want two commits or so", others, a.latest("other"))
				}
				if handled < 256*25 {
					t.Errorf("the busy apps got %d triggers in fifty commits, want about 256 in each", handled)
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestInFlightIsBoundedUntilCommit has an app that answers at once, and a store that is slow: answers that wait
// to be committed leave no room for others.
func TestInFlightIsBoundedUntilCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		const limit, commit = 100, 100 * time.Millisecond
		a := &app{}
		e, stop := run(t, pacedStore{db, commit}, a, engine.Config{Loops: 1, MaxInFlight: limit})
		flood(t, e, "busy", 5000)
		time.Sleep(time.Second)
		before := len(a.triggers(t))
		time.Sleep(50 * commit)
		if got := len(a.triggers(t)) - before; got > 51*limit/2 || got < 50*limit/5 {
			t.Errorf("an app alone got %d triggers in 50 commits, want half of %d in each at most, and a fifth at least", got, limit)
		}
		stop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestHungAppsLeaveCapacityForOthers has many apps that answer nothing, one after the other, and then one that works.
func TestHungAppsLeaveCapacityForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{answer: func(tr job.Trigger) (job.Outcome, time.Duration) {
			if tr.Key.Target.Name == "works" {
				return job.Handled, 5 * time.Millisecond
			}
			return job.Lost, 24 * time.Hour
		}}
		db := open(t, vfs.NewMem())
		const limit, hung = 2000, 50
		e, stop := run(t, db, a, engine.Config{Loops: 1, MaxInFlight: limit})
		for n := range hung {
			flood(t, e, fmt.Sprint("hung", n), 200)
			time.Sleep(time.Second)
		}
		out := len(a.triggers(t))
		if most := limit + 8*hung; out > most {
			t.Errorf("%d triggers are in flight, want %d at most", out, most)
		}
		for n := range 500 {
			mustSchedule(t, e, key("works", fmt.Sprint(n)), once(time.Now().Add(time.Duration(n)*10*time.Millisecond)))
		}
		time.Sleep(10 * time.Second)
		if got := count(t, a, "works"); got != 500 || a.latest("works") > 10*time.Millisecond {
			t.Errorf("of 500 jobs of the app that works %d came, the latest %v late", got, a.latest("works"))
		}
		stop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestOverloadIsReported has more work than turns take, and then less.
func TestOverloadIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		db := open(t, vfs.NewMem())
		var log logtest.Page
		e := engine.New(engine.Config{Loops: 1, Turn: 10, Metrics: reg}, pacedStore{db, 20 * time.Millisecond}, &app{}, slog.New(slog.NewTextHandler(&log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		flood(t, e, "busy", 1500)
		time.Sleep(8 * time.Second)
		if on := valueOf(t, reg, "carillon_overloaded"); on != 1 || !strings.Contains(log.String(), "at its capacity") {
			t.Errorf("overloaded is %v, and the log says %s", on, log.String())
		}
		if err := e.Health(); err != nil {
			t.Errorf("Health = %v, want nil: the node does what it can", err)
		}
		if err := e.DeleteAll(t.Context(), job.Prefix{Kind: job.App, Namespace: "ns", Parts: []string{"busy"}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		valueOf(t, reg, "carillon_overloaded")
		if on := valueOf(t, reg, "carillon_overloaded"); on != 0 || !strings.Contains(log.String(), "below its capacity") {
			t.Errorf("overloaded is %v afterwards, and the log says %s", on, log.String())
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

// valueOf returns the value of a gauge or counter without labels.
func valueOf(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			// The other is zero.
			return f.GetMetric()[0].GetGauge().GetValue() + f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric is called %s", name)
	return 0
}

// TestCommitSizeIsBounded schedules jobs of a kilobyte where a commit may have ten of them, and one that is larger.
func TestCommitSizeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		s := &measuredStore{Store: db}
		e, stop := run(t, s, &app{}, engine.Config{Loops: 1, MaxCommit: 10 << 10})
		all := make([]job.Request, 100)
		for i := range all {
			all[i] = job.Request{Key: key("a", fmt.Sprint(i)), Spec: named(once(time.Now().Add(time.Hour)), strings.Repeat("x", 900))}
		}
		if err := errors.Join(e.ScheduleAll(t.Context(), all)...); err != nil {
			t.Fatal(err)
		}
		if s.largest > 12<<10 {
			t.Errorf("the largest commit had %d bytes, want 10 KiB or so", s.largest)
		}
		mustSchedule(t, e, key("a", "large"), named(once(time.Now().Add(time.Hour)), strings.Repeat("x", 1<<20)))
		stop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A measuredStore knows how many bytes its largest commit had.
type measuredStore struct {
	store.Store
	largest int
}

func (s *measuredStore) Commit(ctx context.Context, b *store.Batch) error {
	n := 0
	for _, w := range b.Writes {
		n += len(w.Key) + len(w.Value)
	}
	s.largest = max(s.largest, n)
	return s.Store.Commit(ctx, b)
}

// TestRefusedThrottledTargetResumes has apps that hang and leave another its guaranteed part alone, and that one has no
// room at first. What it gives back when it is refused is as good as an outcome: its other lanes go on.
func TestRefusedThrottledTargetResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		a := &shyApp{}
		a.answer = func(tr job.Trigger) (job.Outcome, time.Duration) {
			if tr.Key.Target.Name == "shy" {
				return job.Handled, 0
			}
			return job.Lost, 24 * time.Hour
		}
		e, stop := run(t, db, a, engine.Config{Loops: 1, MaxInFlight: 2000})
		for n := range 50 {
			flood(t, e, fmt.Sprint("hung", n), 1000)
			time.Sleep(time.Second)
		}
		for i := range 300 {
			mustSchedule(t, e, key("shy", fmt.Sprint(i)), once(time.Now().Add(time.Second)))
		}
		time.Sleep(time.Minute)
		if n := count(t, &a.app, "shy"); n != 0 {
			t.Fatalf("%d triggers came to an app without room", n)
		}
		a.welcome()
		time.Sleep(time.Minute)
		if n := count(t, &a.app, "shy"); n != 300 {
			t.Errorf("%d triggers came when there was room, want all 300", n)
		}
		stop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A shyApp has no room for the target shy until it says so.
type shyApp struct {
	app
	waiting []func(int)
	open    bool
}

func (a *shyApp) Deliver(t job.Trigger, done func(job.Outcome), room func(int)) bool {
	a.mu.Lock()
	if t.Key.Target.Name == "shy" && !a.open {
		a.waiting = append(a.waiting, room)
		a.mu.Unlock()
		return false
	}
	a.mu.Unlock()
	return a.app.Deliver(t, done, room)
}

func (a *shyApp) welcome() {
	a.mu.Lock()
	a.open = true
	waiting := a.waiting
	a.mu.Unlock()
	for _, room := range waiting {
		room(1)
	}
}

// TestAbandonedCallsAreNotCarriedOut has large jobs scheduled at a store that hangs, by callers that soon give up.
func TestAbandonedCallsAreNotCarriedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		const large, room = 100_000, 1_000_000
		e, stop := run(t, pacedStore{db, time.Minute}, &app{}, engine.Config{Loops: 1, MaxCommandBytes: room})
		var calls sync.WaitGroup
		for i := range 100 {
			calls.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				s := named(once(time.Now().Add(1000*time.Hour)), strings.Repeat("x", large))
				if err := e.Schedule(ctx, key("a", fmt.Sprint(i)), s, false); err == nil {
					t.Error("a call was answered before the store was")
				}
			})
		}
		calls.Wait()
		time.Sleep(time.Hour)
		stored := 0
		for _, err := range e.List(t.Context(), job.Prefix{Kind: job.App, Namespace: "ns", Parts: []string{"a"}}) {
			if err != nil {
				t.Fatal(err)
			}
			stored++
		}
		if stored > room/large {
			t.Errorf("%d jobs of callers that have gone are stored, want those of the commit under way at most", stored)
		}
		stop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestStopRecordsPendingOutcomes stops an engine at the moment when an app has answered more triggers than one turn
// records.
func TestStopRecordsPendingOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		const jobs = 1000
		due := time.Now().Add(10 * time.Second)
		answers := due.Add(time.Second)
		a := &app{answer: func(job.Trigger) (job.Outcome, time.Duration) { return job.Handled, time.Until(answers) }}
		e, stop := run(t, pacedStore{db, 10 * time.Millisecond}, a, engine.Config{Loops: 1})
		all := make([]job.Request, jobs)
		for i := range all {
			all[i] = job.Request{Key: key("a", fmt.Sprint(i)), Spec: once(due)}
		}
		if err := errors.Join(e.ScheduleAll(t.Context(), all)...); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(answers) + time.Millisecond)
		stop()
		_, stopAgain := run(t, db, a, engine.Config{Loops: 1})
		time.Sleep(time.Minute)
		if got := len(a.triggers(t)); got != jobs {
			t.Errorf("%d jobs came %d times: those whose answers had come before the stop came again", jobs, got)
		}
		stopAgain()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestStopRecordsOutcomesForASecondAtMost stops an engine that has more outcomes to record than that takes.
func TestStopRecordsOutcomesForASecondAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		due := time.Now().Add(time.Minute)
		a := &app{answer: func(job.Trigger) (job.Outcome, time.Duration) {
			return job.Handled, time.Until(due.Add(10 * time.Second))
		}}
		e, stop := run(t, pacedStore{db, 300 * time.Millisecond}, a, engine.Config{Loops: 1, Turn: 10})
		all := make([]job.Request, 200)
		for i := range all {
			all[i] = job.Request{Key: key("a", fmt.Sprint(i)), Spec: once(due)}
		}
		if err := errors.Join(e.ScheduleAll(t.Context(), all)...); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(due.Add(10*time.Second + time.Millisecond)))
		begun := time.Now()
		stop()
		if took := time.Since(begun); took < time.Second || took > 1600*time.Millisecond {
			t.Errorf("a stop with more outcomes than turns record took %v, want a second and a turn", took)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}
