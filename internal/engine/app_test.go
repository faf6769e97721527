package engine_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/store"
	"carillon/internal/store/pebblestore"
	"carillon/internal/when"
)

// An app records the triggers that it gets. It is the Deliverer of these tests: it has room for everything unless it is
// told otherwise, and answers at once unless answer says otherwise.
type app struct {
	answer func(job.Trigger) (job.Outcome, time.Duration)

	mu   sync.Mutex
	got  []job.Trigger
	late time.Duration            // the latest
	of   map[string]time.Duration // the latest of each target
	out  map[job.Key]bool
	bad  []string // broken promises
}

func (a *app) Deliver(t job.Trigger, done func(job.Outcome), _ func(int)) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	late := time.Since(t.Due)
	if late < 0 {
		a.bad = append(a.bad, t.Key.String()+" came early, by "+(-late).String())
	}
	if a.out == nil {
		a.out = map[job.Key]bool{}
	}
	if a.out[t.Key] {
		a.bad = append(a.bad, t.Key.String()+" came twice at a time")
	}
	a.out[t.Key] = true
	a.late = max(a.late, late)
	if a.of == nil {
		a.of = map[string]time.Duration{}
	}
	a.of[t.Key.Target.Name] = max(a.of[t.Key.Target.Name], late)
	a.got = append(a.got, t)
	o, after := job.Handled, time.Duration(0)
	if a.answer != nil {
		o, after = a.answer(t)
	}
	time.AfterFunc(after, func() {
		a.mu.Lock()
		delete(a.out, t.Key)
		a.mu.Unlock()
		done(o)
	})
	return true
}

func (*app) Withdraw(job.Target, int) {}

// triggers returns what the app got, and fails the test over any broken promise.
func (a *app) triggers(t *testing.T) []job.Trigger {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, b := range a.bad {
		t.Error(b)
	}
	return a.got
}

// latest returns how late the latest trigger of a target was.
func (a *app) latest(target string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.of[target]
}

func open(t *testing.T, disk vfs.FS) *pebblestore.Store {
	t.Helper()
	s, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: disk, NoTickers: true}, logTo(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func logTo(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// run runs an engine on s until the test, or stop, ends it.
func run(t *testing.T, s store.Store, d engine.Deliverer, cfg engine.Config) (e *engine.Engine, stop func()) {
	t.Helper()
	return runWith(t, s, d, cfg, logTo(t))
}

// runWith is run with a log.
func runWith(t *testing.T, s store.Store, d engine.Deliverer, cfg engine.Config, log *slog.Logger) (e *engine.Engine, stop func()) {
	t.Helper()
	e = engine.New(cfg, s, d, log)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return e, stop
}

// start runs an engine on an empty store in memory, with an app. stop ends it and closes the store.
func start(t *testing.T) (e *engine.Engine, a *app, stop func()) {
	t.Helper()
	a = &app{}
	s := open(t, vfs.NewMem())
	e, halt := run(t, s, a, engine.Config{})
	return e, a, func() {
		halt()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func key(app, name string) job.Key {
	return job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: app}, Name: name}
}

func every(first time.Time, d time.Duration) job.Spec {
	schedule := "@every " + d.String()
	return job.Spec{
		Words:  when.Words{Schedule: &schedule},
		Plan:   when.Plan{First: first.UTC().Round(0), Rule: when.Every(d)},
		Policy: job.DefaultPolicy(),
	}
}

func once(due time.Time) job.Spec {
	return job.Spec{Plan: when.Plan{First: due.UTC().Round(0)}, Policy: job.DefaultPolicy()}
}

func mustSchedule(t *testing.T, e *engine.Engine, k job.Key, s job.Spec) {
	t.Helper()
	if err := e.Schedule(t.Context(), k, s, false); err != nil {
		t.Fatalf("Schedule(%s): %v", k, err)
	}
}
