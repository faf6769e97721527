//go:build linux

package cluster

import (
	"testing"
	"time"
)

// TestKillPauseAndRollingRestartLoseNothing is the short form: all three happen to one cluster, under load.
func TestKillPauseAndRollingRestartLoseNothing(t *testing.T) {
	c := newCluster(t, 3)
	one := c.app("one")
	c.app("two")
	c.app("two")
	a, b, z := c.nodes[0], c.nodes[1], c.nodes[2]
	hosts := func() []string { h, _ := one.known(); return h }
	l := c.load(6, hosts, "one", "two")
	time.Sleep(2 * time.Second)

	at := time.Now()
	z.kill()
	time.Sleep(4 * time.Second)
	logf(t, "kill -9: its share fired again after %v", c.ledger.latest(at, time.Now()))
	z.start()
	c.healthy()
	c.ledger.settle(z.id)

	paused := time.Now()
	b.pause()
	time.Sleep(5 * time.Second)
	b.resume()
	resumed := time.Now()
	c.healthy()
	rejoined := b.joined(resumed)
	logf(t, "a pause of 5 s: its share fired again after %v", c.ledger.latest(paused, resumed))

	for _, n := range []*node{a, b, z} {
		at := time.Now()
		took := n.stop()
		time.Sleep(time.Second)
		logf(t, "a stop: it took %v, and the latest trigger was late by %v", took, c.ledger.latest(at.Add(-time.Second), time.Now()))
		n.start()
		c.healthy()
	}
	l.stop()
	t.Log(l)
	c.close("one", "two")
	if n := c.ledger.firedBetween(b.id, resumed, rejoined, paused.Add(time.Second)); n > 0 {
		t.Errorf("before it was a member again, the node that woke up fired %d triggers that another had fired meanwhile", n)
	}
}
