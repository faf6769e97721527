package engine

import (
	"fmt"
	"testing"
	"time"

	"carillon/internal/job"
	"carillon/internal/when"
)

func TestThrottledLanesThatComeAndGoAreForgotten(t *testing.T) {
	s := newNarrowScript(t, 1, 16)
	due := func(name string) job.Key {
		k := job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: "hung"}, Name: name}
		spec := job.Spec{Policy: job.DefaultPolicy()}
		spec.Plan.First = s.now
		s.put(t, k, spec, false)
		return k
	}
	var last job.Key
	for i := 0; len(s.machine.throttled) == 0; i++ {
		last = due(fmt.Sprint(i)) // until the target has all in flight that it may have
		if i == 100 {
			t.Fatal("the target is not throttled with 100 in flight")
		}
	}
	s.remove(t, last)
	for range 100 {
		s.remove(t, due("comes and goes"))
	}
	for target, all := range s.machine.throttled {
		if len(all) > 1 {
			t.Errorf("%d lanes of %v wait to go on, which has one", len(all), target)
		}
	}
	if err := s.check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLaneThatIsThrottledWhenItsAppRefusesWaitsForRoomAlone(t *testing.T) {
	s := newNarrowScript(t, 1, 16)
	k := func(n int) job.Key { return appKey("hung", n) }
	s.limit.fires = 0
	for i := range 100 {
		s.put(t, k(i), job.Spec{Plan: when.Plan{First: s.now.Add(time.Second)}, Policy: job.DefaultPolicy()}, false)
	}
	s.limit.fires = 100
	s.room["hung"] = 3
	s.now = s.now.Add(time.Second)
	s.idle(t)
	if err := s.check(t.Context()); err != nil {
		t.Error(err)
	}
	if got := len(s.deliveries()); got != 3 || len(s.machine.throttled) > 0 {
		t.Errorf("an app with room for 3 got %d triggers, and %d targets are throttled, want none", got, len(s.machine.throttled))
	}
}
