package engine

import (
	"fmt"
	"testing"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/when"
)

func TestDroppedThrottledLanesAreForgotten(t *testing.T) {
	s := newNarrowScript(t, 1, 16)
	due := func(name string) job.Key {
		k := job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: "hung"}, Name: name}
		spec := job.Spec{Policy: job.DefaultPolicy()}
		spec.Plan.First = s.now
		s.put(t, k, spec, false)
		return k
	}
	var last job.Key
	for i := 0; s.machine.Stats(s.now).Throttled == 0; i++ {
		last = due(fmt.Sprint(i)) // until the target has all in flight that it may have
		if i == 100 {
			t.Fatal("the target is not throttled with 100 in flight")
		}
	}
	s.remove(t, last)
	for range 100 {
		s.remove(t, due("comes and goes"))
	}
	if n := s.machine.Stats(s.now).Throttled; n > 1 {
		t.Errorf("%d lanes are throttled of a target that has one", n)
	}
	if err := s.check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRefusedThrottledLaneIsParked(t *testing.T) {
	s := newNarrowScript(t, 1, 16)
	s.limit.fires = 0
	for i := range 100 {
		for _, app := range []string{"hung", "other"} { // together they have more in flight than there is room for
			s.put(t, appKey(app, i), job.Spec{Plan: when.Plan{First: s.now.Add(time.Second)}, Policy: job.DefaultPolicy()}, false)
		}
	}
	s.limit.fires = 100
	s.room["hung"] = 3
	s.now = s.now.Add(time.Second)
	if err := s.turn(t.Context(), s.now, s.limit); err != nil {
		t.Fatal(err)
	}
	if err := s.machine.Check(); err != nil {
		t.Error(err)
	}
	hung := appKey("hung", 0).Target
	if !s.machine.IsParked(record.LaneID{Target: hung}) {
		t.Errorf("after its app refused a trigger, a lane is not parked: %+v", s.machine.Lanes(s.epoch))
	}
}
