package dispatch_test

import (
	"testing"

	"carillon/internal/dispatch"
	"carillon/internal/job"
)

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
