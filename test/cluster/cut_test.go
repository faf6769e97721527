//go:build linux

package cluster

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestANodeThatIsCutOffStopsAndTheOthersGoOn cuts the wires between a node and the others, one way or both, while apps
// reach all of them.
func TestANodeThatIsCutOffStopsAndTheOthersGoOn(t *testing.T) {
	long(t)
	c, l := loaded(t, 3, wired)
	for _, w := range []struct {
		way
		led bool
	}{
		{way{}, true},
		{way{}, false},
		{way{in: true}, true},
		{way{out: true}, true},
		{way{in: true}, false},
		{way{out: true}, false},
	} {
		n := c.leader()
		if !w.led {
			n = c.nodes[(slices.Index(c.nodes, n)+1)%3]
		}
		var others []string
		for _, o := range c.nodes {
			if o != n {
				others = append(others, o.id)
			}
		}
		what := fmt.Sprintf("a node that sends: %v, and hears: %v, whose etcd led: %v", w.out, w.in, w.led)
		at := time.Now()
		c.ledger.disturb(n.id)
		c.net.between(n.id, others, w.way)
		red := n.unhealthy()
		time.Sleep(time.Until(at.Add(6 * time.Second)))
		late := c.ledger.latest(at, time.Now())
		logf(t, "%s was unhealthy after %v; its share fired again after %v", what, red, late)
		since := time.Now()
		n.refuses(fmt.Sprintf("one/refused-%d", since.UnixNano()))
		if m := c.ledger.came(since, n.id); m > 0 {
			t.Errorf("%s fired %d triggers more", what, m)
		}
		c.net.between(n.id, others, way{out: true, in: true})
		logf(t, "it was healthy %v after the wires were", c.healthy())
		c.ledger.settle(n.id)
		time.Sleep(time.Second)
	}
	l.finish()
}

// TestAMachineThatVanishes cuts all wires of a node: apps have streams to it on which nothing comes any more.
func TestAMachineThatVanishesAndComesBackLosesNothing(t *testing.T) {
	long(t)
	c, l := loaded(t, 3, wired)
	n := c.nodes[1]
	all := []string{"a", "c", here}
	at := time.Now()
	c.ledger.disturb(n.id)
	c.net.between(n.id, all, way{})
	time.Sleep(20 * time.Second)
	logf(t, "a machine vanished: its share fired again after %v", c.ledger.latest(at, time.Now()))
	c.net.between(n.id, all, way{out: true, in: true})
	logf(t, "it was healthy %v after it was back", c.healthy())
	c.ledger.settle(n.id)
	time.Sleep(2 * time.Second)
	l.finish()
}
