package dispatch_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/dispatch"
	"carillon/internal/job"
)

func actor(name string) job.Target { return job.Target{Kind: job.Actor, Namespace: "ns", Name: name} }

func limit(target job.Target, most int) dispatch.ConcurrencyLimit {
	return dispatch.ConcurrencyLimit{Target: target, Max: most}
}

func limitKey(target job.Target, key string, most int) dispatch.ConcurrencyLimit {
	return dispatch.ConcurrencyLimit{Target: target, Key: &key, Max: most}
}

// A worker records the order of the triggers that its streams receive, and their outcomes.
type worker struct {
	t  *testing.T
	d  *dispatch.Dispatcher
	at map[string]uint64 // by name, the numbers of the triggers in flight on the stream of run

	ended []string
}

func newWorker(t *testing.T, cfg dispatch.Config) *worker {
	return &worker{t: t, d: dispatch.New(cfg), at: make(map[string]uint64)}
}

// deliver delivers a trigger whose name begins with its concurrency key; "-" is none.
func (w *worker) deliver(target job.Target, names ...string) {
	w.t.Helper()
	for _, name := range names {
		if !w.d.Deliver(keyed(target, name), w.done(name), ignoreWake) {
			w.t.Errorf("%s was refused", name)
		}
	}
}

func (w *worker) done(name string) func(job.Outcome) {
	return func(o job.Outcome) { w.ended = append(w.ended, name+" "+o.String()) }
}

func keyed(target job.Target, name string) job.Trigger {
	trig := trigger(target, name)
	if key := name[:1]; key != "-" {
		trig.ConcurrencyKey = &key
	}
	return trig
}

// want checks the names of the triggers that s is to send now.
func (w *worker) want(s *dispatch.Stream, names ...string) {
	w.t.Helper()
	var got []string
	for w.d.Stats().InFlight-w.d.Stats().Held > len(w.at) {
		id, trig := next(w.t, s)
		w.at[trig.Key.Name] = id
		got = append(got, trig.Key.Name)
	}
	if !slices.Equal(got, names) {
		w.t.Errorf("sent %q, want %q", got, names)
	}
}

func (w *worker) settle(s *dispatch.Stream, name string) {
	w.t.Helper()
	if !s.Settle(w.at[name], job.Handled) {
		w.t.Errorf("%s is not out", name)
	}
	delete(w.at, name)
}

func TestTriggerWaitsForSlotsOfBothLimits(t *testing.T) {
	w := newWorker(t, dispatch.Config{})
	s := w.d.Connect([]job.Target{actor("T")}, limit(actor("T"), 2), limitKey(actor("T"), "x", 1))
	w.deliver(actor("T"), "x1", "x2", "x3")
	for _, name := range []string{"x1", "x2", "x3"} {
		w.want(s, name)
		w.settle(s, name)
	}
	w.want(s)
	s.Close()
	if got := w.d.Stats(); got != (dispatch.Stats{}) {
		t.Errorf("left behind: %+v", got)
	}
}

func TestOldestHeldTriggersGoFirst(t *testing.T) {
	w := newWorker(t, dispatch.Config{})
	s := w.d.Connect([]job.Target{actor("T")}, limit(actor("T"), 3), limitKey(actor("T"), "x", 1))
	w.deliver(actor("T"), "x1", "y1", "-1", "x2", "x3", "y2", "-2", "y3")
	w.want(s, "x1", "y1", "-1")
	w.settle(s, "y1") // x is full: the elders x2 and x3 are passed over
	w.want(s, "y2")
	w.settle(s, "x1")
	w.want(s, "x2")
	w.settle(s, "-1")
	w.want(s, "-2")
	w.settle(s, "x2")
	w.want(s, "x3")
	w.settle(s, "x3")
	w.want(s, "y3")
}

func TestLimitAppliesToAllStreamsOfItsNamespace(t *testing.T) {
	w := newWorker(t, dispatch.Config{})
	elsewhere := job.Target{Kind: job.Actor, Namespace: "ns2", Name: "T"}
	s := w.d.Connect([]job.Target{actor("T"), actor("U"), elsewhere, app("T")})
	other := w.d.Connect(nil, limit(actor("T"), 1), limit(app("T"), 1), limit(actor("U"), 0), limit(actor("U"), -1))
	defer other.Close()
	w.deliver(actor("T"), "x1", "x2")
	w.deliver(actor("U"), "u1", "u2")
	w.deliver(elsewhere, "e1", "e2")
	w.deliver(app("T"), "a1", "a2")
	w.want(s, "x1", "u1", "u2", "e1", "e2", "a1", "a2")
	s.Close()
}

func TestLastConnectedStreamSetsTheLimit(t *testing.T) {
	w := newWorker(t, dispatch.Config{})
	s := w.d.Connect([]job.Target{actor("T")}, limit(actor("T"), 2))
	w.deliver(actor("T"), "-1", "-2", "-3", "-4", "-5", "-6")
	w.want(s, "-1", "-2")
	more := w.d.Connect(nil, limit(actor("T"), 1), limit(actor("T"), 4))
	w.want(s, "-3", "-4") // a limit that is raised lets them go on
	more.Close()
	w.settle(s, "-1")
	w.settle(s, "-2")
	w.want(s)
	w.settle(s, "-3")
	w.want(s, "-5")
	s.Close()
}

func TestHeldTriggersGoWhenLimitIsRemoved(t *testing.T) {
	w := newWorker(t, dispatch.Config{})
	s := w.d.Connect([]job.Target{actor("T")})
	all, x := w.d.Connect(nil, limit(actor("T"), 1)), w.d.Connect(nil, limitKey(actor("T"), "x", 1))
	w.deliver(actor("T"), "y1", "x1", "x2", "y2")
	w.want(s, "y1")
	all.Close()
	w.want(s, "x1", "y2")
	x.Close()
	w.want(s, "x2")
	x = w.d.Connect(nil, limitKey(actor("T"), "x", 1)) // the semaphore did not count x2
	w.deliver(actor("T"), "x3", "x4")
	w.settle(s, "x1")
	w.settle(s, "x2")
	w.want(s, "x3")
	x.Close()
	s.Close()
	if got := w.d.Stats(); got != (dispatch.Stats{}) {
		t.Errorf("left behind: %+v", got)
	}
}

func TestHeldTriggersAreLostWithLastStreamOfTarget(t *testing.T) {
	w := newWorker(t, dispatch.Config{})
	keeper := w.d.Connect([]job.Target{actor("U")}, limit(actor("T"), 1))
	one, two := w.d.Connect([]job.Target{actor("T")}), w.d.Connect([]job.Target{actor("T")})
	w.deliver(actor("T"), "-1", "-2", "-3")
	one.Close()
	if want := []string{"-1 lost"}; !slices.Equal(w.ended, want) {
		t.Errorf("ended %q, want %q", w.ended, want)
	}
	if _, trig := next(t, two); trig.Key.Name != "-2" {
		t.Errorf("the survivor got %q, want -2", trig.Key.Name)
	}
	two.Close()
	if want := []string{"-1 lost", "-2 lost", "-3 lost"}; !slices.Equal(w.ended, want) {
		t.Errorf("ended %q, want %q", w.ended, want)
	}
	if w.d.Deliver(keyed(actor("T"), "-4"), ignore, ignoreWake) {
		t.Error("a trigger was held that no stream serves")
	}
	keeper.Close()
	if got := w.d.Stats(); got != (dispatch.Stats{Waiting: 1, Targets: 1}) {
		t.Errorf("left behind: %+v", got)
	}
}

func TestHeldTriggersAreBounded(t *testing.T) {
	for what, tc := range map[string]struct {
		cfg   dispatch.Config
		bytes int
	}{
		"triggers": {dispatch.Config{MaxHeld: 2}, 100},
		"bytes":    {dispatch.Config{MaxHeldBytes: 1000}, 500},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := dispatch.New(tc.cfg)
			s := d.Connect([]job.Target{actor("T"), app("a")}, limit(actor("T"), 1))
			defer s.Close()
			mustAccept(t, d, trigger(app("a"), "x"), ignore)
			for range 3 {
				mustAccept(t, d, sized(actor("T"), tc.bytes), ignore)
			}
			w := &refusals{d: d}
			w.refuse(t, actor("T"), 1)
			id, _ := next(t, s)
			s.Settle(id, job.Handled)
			time.Sleep(time.Second)
			w.want(t) // the stream has capacity, but they wait for slots
			id, _ = next(t, s)
			s.Settle(id, job.Handled)
			w.want(t, 1)
			if got := d.Stats(); got.Held != 1 || got.InFlight != 2 {
				t.Errorf("%s: %+v, want one held and one with the stream", what, got)
			}
		})
	}
}

func TestHeldTriggerWaitsForStreamCapacity(t *testing.T) {
	w := newWorker(t, dispatch.Config{MaxInFlight: 2})
	s := w.d.Connect([]job.Target{actor("T"), app("a")}, limit(actor("T"), 1))
	w.deliver(actor("T"), "-1", "-2", "-3")
	w.deliver(app("a"), "a1")
	w.want(s, "-1", "a1")
	w.settle(s, "-1")
	w.want(s, "-2")
	w.deliver(actor("T"), "-4")
	w.settle(s, "a1")
	w.want(s) // capacity, but no slot
	w.deliver(app("a"), "a2")
	w.settle(s, "-2")
	w.want(s, "a2", "-3")
	s.Close()
}

func TestLimitsHaveMetrics(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	w := newWorker(t, dispatch.Config{Metrics: r})
	elsewhere := job.Target{Kind: job.Actor, Namespace: "ns2", Name: "T"}
	s := w.d.Connect([]job.Target{actor("T"), actor("U"), elsewhere},
		limit(actor("T"), 3), limitKey(actor("T"), "x", 1), limitKey(actor("U"), "y", 1), limit(elsewhere, 5))
	defer s.Close()
	wantMetrics(t, r, "dapr_scheduler_concurrency")
	w.deliver(actor("T"), "x1") // which is not held
	wantMetrics(t, r, "dapr_scheduler_concurrency",
		`dapr_scheduler_concurrency_inflight{concurrency_key="T"} 1`,
		`dapr_scheduler_concurrency_inflight{concurrency_key="T:x"} 1`,
		`dapr_scheduler_concurrency_pending{concurrency_key="T"} 0`,
		`dapr_scheduler_concurrency_pending{concurrency_key="T:x"} 0`,
	)
	w.deliver(actor("T"), "x2", "-1", "-2", "-3")
	w.deliver(actor("U"), "y1", "y2", "-1")
	w.deliver(elsewhere, "-1")
	wantMetrics(t, r, "dapr_scheduler_concurrency",
		`dapr_scheduler_concurrency_inflight{concurrency_key="T"} 4`,
		`dapr_scheduler_concurrency_inflight{concurrency_key="T:x"} 1`,
		`dapr_scheduler_concurrency_inflight{concurrency_key="U:y"} 1`,
		`dapr_scheduler_concurrency_pending{concurrency_key="T"} 2`,
		`dapr_scheduler_concurrency_pending{concurrency_key="T:x"} 0`,
		`dapr_scheduler_concurrency_pending{concurrency_key="U:y"} 1`,
		`dapr_scheduler_concurrency_throttled_total{concurrency_key="T"} 1`,
		`dapr_scheduler_concurrency_throttled_total{concurrency_key="T:x"} 1`,
		`dapr_scheduler_concurrency_throttled_total{concurrency_key="U:y"} 1`,
	)
}

func BenchmarkLimitedTrigger(b *testing.B) {
	for _, waiting := range []int{0, 10_000} {
		b.Run(fmt.Sprintf("held=%d", waiting), func(b *testing.B) {
			d := dispatch.New(dispatch.Config{})
			s := d.Connect([]job.Target{actor("T")}, limit(actor("T"), 10), limitKey(actor("T"), "x", 5))
			t := keyed(actor("T"), "x")
			for range waiting + 5 {
				d.Deliver(t, ignore, ignoreWake)
			}
			b.ReportAllocs()
			for b.Loop() {
				id, _, err := s.Next(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				s.Settle(id, job.Handled)
				d.Deliver(t, ignore, ignoreWake)
			}
		})
	}
}

func TestHeldTriggersAreKnown(t *testing.T) {
	target := actor("T")
	key := func(name string) job.Key { return keyed(target, name).Key }
	w := newWorker(t, dispatch.Config{})
	s := w.d.Connect([]job.Target{target}, limit(target, 2), limitKey(target, "x", 1))
	defer s.Close()
	w.deliver(target, "x1", "x2", "-3", "-4")
	held := w.d.Held(target, []job.Key{key("x1"), key("x2"), key("-3"), key("-4"), key("-5")})
	for name, want := range map[string]bool{"x1": false, "x2": true, "-3": false, "-4": true, "-5": false} {
		if held[key(name)] != want {
			t.Errorf("%s is held: %v, want %v", name, !want, want)
		}
	}
	if held := w.d.Held(actor("U"), []job.Key{key("x2")}); len(held) > 0 {
		t.Errorf("of another type: %v", held)
	}
}
