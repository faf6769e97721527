package app

import (
	"testing"

	"carillon/internal/dispatch"
	"carillon/internal/engine"
	"carillon/internal/job"
)

func TestFullReceiversAreNotAbsent(t *testing.T) {
	target := job.Target{Kind: job.App, Namespace: "ns", Name: "a"}
	d := dispatch.New(dispatch.Config{MaxInFlight: 1})
	expect := func(want engine.Receivers) {
		t.Helper()
		if got := receivers(d, target); got != want {
			t.Errorf("receivers are %d, want %d", got, want)
		}
	}
	expect(engine.ReceiversAbsent)
	s := d.Connect([]job.Target{target})
	expect(engine.ReceiversReady)
	d.Deliver(job.Trigger{Key: job.Key{Target: target, Name: "x"}}, func(job.Outcome) {}, func(int) {})
	expect(engine.ReceiversFull)
	s.Close()
	expect(engine.ReceiversAbsent)
}
