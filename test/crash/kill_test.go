package crash_test

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestKillsLoseNoAcknowledgedJob kills the node under load, again and again, at any moment, and each time holds
// what users and apps know against what they are promised: every job that was acknowledged comes as often as it is
// due, never early, with its own payload, one at a time; deleted jobs stay silent; and no more is redelivered than was
// out at the kill, by the node's own metric.
func TestKillsLoseNoAcknowledgedJob(t *testing.T) {
	kills := number(t, "CARILLON_TEST_KILLS", 4)
	seed := uint64(number(t, "CARILLON_TEST_SEED", 1))
	r := rand.New(rand.NewPCG(seed, 0))
	dir, w := t.TempDir(), newWorld()
	bound := 0
	for life := range kills {
		n := start(t, dir)
		l := w.load(t, n, seed<<32+uint64(life))
		time.Sleep(time.Duration(100+r.IntN(500)) * time.Millisecond)
		eventually(t, "users are told of twenty jobs in this life", func() bool { return w.acknowledged() >= 20*(life+1) })
		held := life%2 == 1
		out, before := 0, 0
		if held { // from here on the triggers in flight can be counted
			before = w.hold(true)
			time.Sleep(100 * time.Millisecond)
			out = int(n.metric(t, "carillon_out"))
		}
		n.kill()
		l.wait()
		came := w.hold(false)
		recent := w.over(2 * time.Second)
		if held {
			recent = out + came - before
		}
		bound += recent
		if t.Failed() {
			return
		}
	}
	n := start(t, dir)
	l := w.load(t, n, seed<<32+uint64(kills))
	l.rest()
	s := w.check(t)
	n.stop(t)
	l.wait()
	if s.again > bound {
		t.Errorf("%d triggers came again, and %d at most were out when the node was killed", s.again, bound)
	}
	if s.acked < 20*kills {
		t.Errorf("only %d jobs were acknowledged: this proves little", s.acked)
	}
	t.Logf("%d kills: %d jobs acknowledged, %d triggers, of which %d came again and %d may have", kills, s.acked, s.triggers, s.again, bound)
}
