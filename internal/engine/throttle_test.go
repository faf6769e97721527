package engine

import (
	"fmt"
	"testing"
	"time"

	"carillon/internal/engine/record"
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
	if err := s.checkMachine(); err != nil {
		t.Error(err)
	}
	hung := appKey("hung", 0).Target
	if l := s.machine.lanes[record.LaneID{Partition: 0, Target: hung}]; l == nil || l.place != parked || len(s.machine.throttled[hung]) > 0 {
		t.Errorf("after its app refused a trigger, a lane is %+v, and of %d lanes that wait for a share", l, len(s.machine.throttled[hung]))
	}
}
