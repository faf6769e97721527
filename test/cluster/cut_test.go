//go:build linux

package cluster

import (
	"slices"
	"testing"
	"time"
)

// TestPartitionedNodeStopsAndOthersContinue cuts the wires between a node and the others, one way or both, while apps
// reach all of them, and then all of a node's wires: apps have streams to it on which nothing comes any more.
func TestPartitionedNodeStopsAndOthersContinue(t *testing.T) {
	long(t)
	t.Parallel()
	c, l := loaded(t, 3, wired)
	for i, w := range []struct {
		way
		led bool
	}{
		{way{}, true},
		{way{in: true}, true},
		{way{out: true}, true},
		{way{in: true}, false},
		{way{out: true}, false},
	} {
		n, what := c.leader(), "its etcd led"
		if !w.led {
			n, what = c.nodes[(slices.Index(c.nodes, n)+1)%3], "its etcd followed"
		}
		others := c.others(n)
		at := time.Now()
		c.ledger.disturb(n.id)
		c.net.between(n.id, others, w.way)
		red := n.unhealthy()
		time.Sleep(time.Until(at.Add(6 * time.Second)))
		logf(t, "a node was cut off, %+v, %s: unhealthy after %v, its share fired again after %v",
			w.way, what, red, c.ledger.latest(at, time.Now()))
		since := time.Now()
		if i == 0 {
			n.refuses("one/refused")
		}
		time.Sleep(time.Second)
		if m := c.ledger.came(since, n.id); m > 0 {
			t.Errorf("a node that was cut off, %+v, %s, fired %d triggers more", w.way, what, m)
		}
		c.net.between(n.id, others, way{out: true, in: true})
		logf(t, "it was healthy %v after the wires were", c.healthy())
		c.ledger.settle(n.id)
		time.Sleep(time.Second)
	}

	n := c.nodes[1]
	all := append(c.others(n), here)
	at := time.Now()
	c.ledger.disturb(n.id)
	c.net.between(n.id, all, way{})
	time.Sleep(15 * time.Second)
	logf(t, "a machine vanished: its share fired again after %v", c.ledger.latest(at, time.Now()))
	c.net.between(n.id, all, way{out: true, in: true})
	logf(t, "it was healthy %v after it was back", c.healthy())
	c.ledger.settle(n.id)
	time.Sleep(time.Second)
	l.finish()
}

// others returns the names of the other nodes.
func (c *cluster) others(n *node) (all []string) {
	for _, o := range c.nodes {
		if o != n {
			all = append(all, o.id)
		}
	}
	return all
}
