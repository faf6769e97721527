package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/dispatch"
	"carillon/internal/job"
)

func app(name string) job.Target { return job.Target{Kind: job.App, Namespace: "ns", Name: name} }

func trigger(target job.Target, name string) job.Trigger {
	return job.Trigger{Key: job.Key{Target: target, Name: name}, AppID: "app"}
}

func sized(target job.Target, bytes int) job.Trigger {
	t := trigger(target, "")
	t.Data = &job.Data{Value: make([]byte, bytes-len("ns")-len(target.Name)-len("app"))}
	return t
}

func ignore(job.Outcome) {}

func ignoreWake(int) {}

// next returns the next trigger of s; there must be one.
func next(t *testing.T, s *dispatch.Stream) (uint64, job.Trigger) {
	t.Helper()
	id, trig, err := s.Next(t.Context())
	if err != nil {
		t.Fatalf("Next: %v", err)
	}
	return id, trig
}

func mustAccept(t *testing.T, d *dispatch.Dispatcher, trig job.Trigger, done func(job.Outcome)) {
	t.Helper()
	if !d.Deliver(trig, done, func(int) { t.Error("wake of an accepted trigger was called") }) {
		t.Fatalf("Deliver refused %v", trig.Key)
	}
}

func TestStreamsReceiveRoundRobin(t *testing.T) {
	d := dispatch.New(dispatch.Config{})
	var streams []*dispatch.Stream
	for range 3 {
		streams = append(streams, d.Connect([]job.Target{app("a")}))
	}
	for i := range 30 {
		mustAccept(t, d, trigger(app("a"), fmt.Sprint(i)), ignore)
	}
	for i, s := range streams {
		for n := range 10 {
			id, trig := next(t, s)
			if want := fmt.Sprint(3*n + i); id != uint64(n+1) || trig.Key.Name != want {
				t.Errorf("stream %d got %q as %d, want %q as %d", i, trig.Key.Name, id, want, n+1)
			}
		}
	}
}

func TestStreamWithoutCapacityIsSkipped(t *testing.T) {
	d := dispatch.New(dispatch.Config{MaxInFlight: 2})
	slow, fast := d.Connect([]job.Target{app("a")}), d.Connect([]job.Target{app("a")})
	lost := 0
	for range 4 {
		mustAccept(t, d, trigger(app("a"), "x"), func(o job.Outcome) {
			if o == job.Lost {
				lost++
			}
		})
	}
	for range 100 {
		id, _ := next(t, fast)
		fast.Settle(id, job.Handled)
		mustAccept(t, d, trigger(app("a"), "x"), ignore)
	}
	slow.Close()
	if lost != 2 {
		t.Errorf("%d were out with the slow stream, want 2", lost)
	}
}

func TestRotationContinuesWhenStreamCloses(t *testing.T) {
	for leaver := range 3 {
		d := dispatch.New(dispatch.Config{})
		var streams []*dispatch.Stream
		for range 3 {
			streams = append(streams, d.Connect([]job.Target{app("a")}))
		}
		mustAccept(t, d, trigger(app("a"), "0"), ignore) // to the first; it is the second's turn
		streams[leaver].Close()
		want := map[int][]int{0: {1, 2, 1}, 1: {2, 0, 2}, 2: {1, 0, 1}}[leaver]
		for i, s := range want {
			name := fmt.Sprint(i + 1)
			mustAccept(t, d, trigger(app("a"), name), ignore)
			_, trig := next(t, streams[s])
			if trig.Key.Name == "0" {
				_, trig = next(t, streams[s])
			}
			if trig.Key.Name != name {
				t.Errorf("without %d: stream %d got %q, want %q", leaver, s, trig.Key.Name, name)
			}
		}
	}
}

func TestDuplicateTargetHasOneTurn(t *testing.T) {
	d := dispatch.New(dispatch.Config{})
	one := d.Connect([]job.Target{app("a"), app("a"), app("a")})
	two := d.Connect([]job.Target{app("a")})
	mustAccept(t, d, trigger(app("a"), "1"), ignore)
	mustAccept(t, d, trigger(app("a"), "2"), ignore)
	if _, trig := next(t, one); trig.Key.Name != "1" {
		t.Errorf("first stream got %q, want 1", trig.Key.Name)
	}
	if _, trig := next(t, two); trig.Key.Name != "2" {
		t.Errorf("second stream got %q, want 2", trig.Key.Name)
	}
}

func TestClosedStreamLosesItsTriggersToTheNext(t *testing.T) {
	d := dispatch.New(dispatch.Config{})
	first, second := d.Connect([]job.Target{app("a")}), d.Connect([]job.Target{app("a")})
	var outcomes []job.Outcome
	var names []string
	for i := range 6 { // three with each
		name := fmt.Sprint(i)
		mustAccept(t, d, trigger(app("a"), name), func(o job.Outcome) {
			outcomes, names = append(outcomes, o), append(names, name)
			mustAccept(t, d, trigger(app("a"), name+" again"), ignore)
		})
	}
	next(t, first) // one is sent, two are not
	first.Close()
	first.Close()
	if want := []job.Outcome{job.Lost, job.Lost, job.Lost}; !slices.Equal(outcomes, want) {
		t.Errorf("outcomes %v, want %v", outcomes, want)
	}
	if want := []string{"0", "2", "4"}; !slices.Equal(names, want) {
		t.Errorf("lost %v, want %v: oldest first", names, want)
	}
	for _, want := range []string{"1", "3", "5", "0 again", "2 again", "4 again"} {
		if _, trig := next(t, second); trig.Key.Name != want {
			t.Errorf("the survivor got %q, want %q", trig.Key.Name, want)
		}
	}
	if _, _, err := first.Next(t.Context()); !errors.Is(err, dispatch.ErrClosed) {
		t.Errorf("Next after Close: %v, want ErrClosed", err)
	}
}

func TestLateRepeatedOrUnknownResultIsIgnored(t *testing.T) {
	d := dispatch.New(dispatch.Config{})
	s := d.Connect([]job.Target{app("a")})
	var outcomes []job.Outcome
	mustAccept(t, d, trigger(app("a"), "x"), func(o job.Outcome) { outcomes = append(outcomes, o) })
	settle := func(id uint64, want bool) {
		t.Helper()
		if got := s.Settle(id, job.Handled); got != want {
			t.Errorf("Settle(%d) = %v, want %v", id, got, want)
		}
	}
	settle(0, false)
	settle(1, false) // it was accepted, but not sent yet
	settle(2, false)
	next(t, s)
	settle(1, true)
	settle(1, false)
	s.Close()
	settle(1, false)
	if want := []job.Outcome{job.Handled}; !slices.Equal(outcomes, want) {
		t.Errorf("outcomes %v, want %v", outcomes, want)
	}
	if got := d.Stats(); got != (dispatch.Stats{Ignored: 5}) {
		t.Errorf("left behind: %+v", got)
	}
}

func TestNextEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := dispatch.New(dispatch.Config{}).Connect(nil)
		defer s.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next: %v, want DeadlineExceeded", err)
		}
	})
}

func TestNextWakesWhenItsStreamCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := dispatch.New(dispatch.Config{}).Connect(nil)
		time.AfterFunc(time.Hour, s.Close)
		if _, _, err := s.Next(t.Context()); !errors.Is(err, dispatch.ErrClosed) {
			t.Errorf("Next: %v, want ErrClosed", err)
		}
	})
}

func TestBytesInFlightAreBounded(t *testing.T) {
	d := dispatch.New(dispatch.Config{MaxBytes: 1000})
	s := d.Connect([]job.Target{app("a")})
	deliver := func(bytes int, want bool) {
		t.Helper()
		if got := d.Deliver(sized(app("a"), bytes), ignore, ignoreWake); got != want {
			t.Errorf("Deliver of %d bytes = %v, want %v", bytes, got, want)
		}
	}
	deliver(5000, true) // nothing else is in flight
	deliver(10, false)
	id, _ := next(t, s)
	s.Settle(id, job.Handled)
	deliver(600, true)
	deliver(401, false)
	deliver(400, true)
	deliver(10, false)
}

func TestUnservedTargetUsesNoMemory(t *testing.T) {
	d := dispatch.New(dispatch.Config{MaxInFlight: 1})
	for i := range 100 {
		s := d.Connect([]job.Target{app(fmt.Sprint(i)), app("shared")})
		mustAccept(t, d, trigger(app("shared"), "x"), ignore)
		s.Close()
	}
	if got := d.Stats(); got != (dispatch.Stats{}) {
		t.Errorf("left behind: %+v", got)
	}
}

// A target that only has waiters is not connected.
func TestTargetIsConnectedWhileAStreamServesIt(t *testing.T) {
	d := dispatch.New(dispatch.Config{})
	if d.Deliver(trigger(app("a"), ""), ignore, ignoreWake) || d.Connected(app("a")) {
		t.Error("it is connected before any stream is")
	}
	s := d.Connect([]job.Target{app("a")})
	if !d.Connected(app("a")) || d.Connected(app("b")) {
		t.Errorf("connected: a %v, b %v, want a alone", d.Connected(app("a")), d.Connected(app("b")))
	}
	s.Close()
	if d.Connected(app("a")) {
		t.Error("it is connected after its stream has ended")
	}
}

func TestTargetHasCapacityWhileOneStreamHas(t *testing.T) {
	d := dispatch.New(dispatch.Config{MaxInFlight: 2})
	expect := func(when string, want bool) {
		t.Helper()
		if got := d.HasCapacity(app("a")); got != want {
			t.Errorf("%s: capacity %v, want %v", when, got, want)
		}
	}
	expect("without streams", false)
	s := d.Connect([]job.Target{app("a")})
	expect("with a stream", true)
	if d.HasCapacity(app("b")) {
		t.Error("a target that no stream serves has capacity")
	}
	for range 2 {
		mustAccept(t, d, trigger(app("a"), ""), ignore)
	}
	expect("with a full stream", false)
	if d.Deliver(trigger(app("a"), ""), ignore, ignoreWake) {
		t.Error("a full stream has taken a trigger")
	}
	other := d.Connect([]job.Target{app("a")})
	expect("with another stream", true)
	other.Close()
	s.Close()
	expect("after the streams", false)
}
