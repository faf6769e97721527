//go:build linux

package cluster

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// loaded starts a cluster with two apps and a load on it, which is stopped by the test that closes the cluster.
func loaded(t *testing.T, size int, settings ...setting) (*cluster, *load) {
	t.Helper()
	c := newCluster(t, size, settings...)
	one := c.app("one")
	c.app("two")
	l := c.load(5, func() []string { h, _ := one.known(); return h }, "one", "two")
	time.Sleep(2 * time.Second)
	return c, l
}

// finish stops the load and judges.
func (l *load) finish() {
	l.c.t.Helper()
	l.stop()
	l.c.t.Log(l)
	l.c.close("one", "two")
}

func TestKilledNodeIsTakenOverWithinTwoSeconds(t *testing.T) {
	long(t)
	c, l := loaded(t, 3)
	const kills = 3 // of each kind
	late := map[bool][]time.Duration{}
	for i := range 2 * kills {
		led := i%2 == 0 // its etcd leads the others
		n := c.leader()
		if !led {
			n = c.nodes[(slices.Index(c.nodes, n)+1)%3]
		}
		other := c.nodes[(slices.Index(c.nodes, n)+1)%3]
		before := uint64(0)
		if led {
			before = other.leads()
		}
		at := time.Now()
		n.kill()
		elected := other.elected(before)
		time.Sleep(time.Until(at.Add(5 * time.Second)))
		latest := c.ledger.latest(at, time.Now())
		late[led] = append(late[led], latest)
		logf(t, "kill -9 of a node, whose etcd led: %v: the next one led after %v, the latest trigger was late by %v; %d have been redelivered so far",
			led, elected, latest, c.ledger.judge().again)
		n.start()
		c.healthy()
		c.ledger.settle(n.id)
		time.Sleep(time.Second)
	}
	for led, all := range late {
		slices.Sort(all)
		if median := all[kills/2]; median > 2*time.Second {
			t.Errorf("the share of a node, whose etcd led: %v, fired again after %v (the median of %v), want within 2 s", led, median, all)
		}
	}
	l.finish()
}

func TestStoppedNodeIsTakenOverWithin100Milliseconds(t *testing.T) {
	long(t)
	c, l := loaded(t, 3)
	for _, led := range []bool{true, false} {
		n := c.leader()
		if !led {
			n = c.nodes[(slices.Index(c.nodes, n)+1)%3]
		}
		before := c.ledger.latest(time.Now().Add(-2*time.Second), time.Now().Add(-500*time.Millisecond))
		at := time.Now()
		took := n.stop()
		time.Sleep(2 * time.Second)
		late := c.ledger.latest(at, time.Now().Add(-time.Second))
		logf(t, "a stop, the node's etcd led: %v: it took %v, the latest trigger was late by %v, and by %v before; %d have been redelivered so far",
			led, took, late, before, c.ledger.judge().again)
		n.start()
		c.healthy()
		time.Sleep(2 * time.Second)
	}
	l.finish()
}

func TestRollingRestartUnderLoadLosesNothing(t *testing.T) {
	long(t)
	t.Parallel()
	c, l := loaded(t, 3)
	for _, n := range c.nodes {
		n.stop()
		n.start()
		c.healthy()
	}
	l.finish()
	if n := l.errors(codes.DeadlineExceeded); n > 0 {
		t.Errorf("%d calls hung", n)
	}
}

func TestPausedNodeCanNeitherWriteNorFire(t *testing.T) {
	long(t)
	t.Parallel()
	c, l := loaded(t, 3)
	for range 2 {
		n := c.leader()
		paused := time.Now()
		n.pause()
		time.Sleep(6 * time.Second)
		late := c.ledger.latest(paused, time.Now())
		resumed := time.Now()
		n.resume()
		c.healthy()
		rejoined := n.joined(resumed)
		logf(t, "a pause of 6 s: its share fired again after %v", late)
		time.Sleep(2 * time.Second)
		if n := c.ledger.firedBetween(n.id, resumed, rejoined, paused.Add(time.Second)); n > 0 {
			t.Errorf("before it was a member again, the node that woke up fired %d triggers that another had fired meanwhile", n)
		}
	}
	l.finish()
}

// refuses holds that the node tells a patient caller that it cannot do anything now, and does not hang.
func (n *node) refuses(job string) {
	n.c.t.Helper()
	ctx, cancel := context.WithTimeout(n.c.t.Context(), patience)
	defer cancel()
	begin := time.Now()
	err := n.c.schedule(ctx, n.address(), job, never(), 0, 0)
	logf(n.c.t, "a call of node %s, which is cut off, ended after %v: %v", n.id, time.Since(begin), err)
	if code := status.Code(err); code != codes.Unavailable {
		n.c.t.Errorf("it ended with %v, want Unavailable", err)
	}
}

func TestLostMajorityStopsAllUntilItReturns(t *testing.T) {
	long(t)
	t.Parallel()
	c, l := loaded(t, 3)
	a := c.nodes[0]
	for _, n := range c.nodes[1:] {
		n.kill()
	}
	logf(t, "the node that is left was unhealthy after %v", a.unhealthy())
	time.Sleep(3 * time.Second)
	since := time.Now()

	a.refuses("one/patient")
	if n := c.ledger.came(since, ""); n > 0 {
		t.Errorf("%d triggers came without a majority", n)
	}
	if a.p.cmd.ProcessState != nil {
		t.Fatal("the node that is left has ended")
	}
	for _, n := range c.nodes[1:] {
		n.launch()
	}
	back := c.healthy()
	for _, n := range c.nodes[1:] {
		c.ledger.settle(n.id)
	}
	logf(t, "when the others were started again, all were healthy after %v", back)
	time.Sleep(2 * time.Second)
	l.finish()
}

func TestSimultaneousRestartLosesNothing(t *testing.T) {
	long(t)
	t.Parallel()
	c, l := loaded(t, 3)
	for _, end := range []func(n *node){(*node).kill, func(n *node) { n.stop() }} {
		for _, n := range c.nodes {
			end(n)
		}
		at := time.Now()
		for _, n := range c.nodes {
			n.launch()
		}
		c.healthy()
		logf(t, "three nodes that were started at the same moment were healthy after %v", time.Since(at))
		for _, n := range c.nodes {
			c.ledger.settle(n.id)
		}
		time.Sleep(3 * time.Second)
	}
	l.finish()
}

func TestOneOfTwoNodesStopsUntilOtherReturns(t *testing.T) {
	long(t)
	t.Parallel()
	c, l := loaded(t, 2)
	a, b := c.nodes[0], c.nodes[1]
	b.stop()
	logf(t, "of two, the node that is left was unhealthy after %v", a.unhealthy())
	time.Sleep(3 * time.Second)
	since := time.Now()
	time.Sleep(2 * time.Second)
	if n := c.ledger.came(since, ""); n > 0 {
		t.Errorf("%d triggers came without a majority", n)
	}
	b.start()
	logf(t, "with both again, they were healthy after %v", c.healthy())
	time.Sleep(2 * time.Second)
	l.finish()
}

func TestSecondProcessOnDataDirectoryIsRefused(t *testing.T) {
	long(t)
	t.Parallel()
	c := newCluster(t, 3)
	twin := *c.nodes[0]
	twin.port, twin.health, twin.metrics, twin.client = port(t), port(t), port(t), port(t)
	twin.launch()
	if code := twin.p.wait(t); code != 1 {
		t.Errorf("it ended with %d, want 1", code)
	}
	if out := twin.p.output(); !strings.Contains(out, "address already in use") {
		t.Errorf("it says what its port is, and not that another has it: %s", last(out))
	}
	c.healthy()
}

func TestNodesStoppedTogetherDoNotWait(t *testing.T) {
	long(t)
	c, l := loaded(t, 3)
	var took []time.Duration
	for range 3 {
		l.stop()
		ends := make(chan time.Duration)
		for _, n := range c.nodes {
			go func() { ends <- n.stop() }()
		}
		var last time.Duration
		for range c.nodes {
			last = max(last, <-ends)
		}
		took = append(took, last)
		for _, n := range c.nodes {
			n.launch()
		}
		c.healthy()
		for _, n := range c.nodes {
			c.ledger.settle(n.id)
		}
		l = c.load(5, c.addresses, "one", "two")
		time.Sleep(time.Second)
	}
	slices.Sort(took)
	logf(t, "three nodes that were stopped together: the last ended after %v", took)
	if took[1] > 3*time.Second { // it takes two on a machine with a load of 20
		t.Errorf("the last of three nodes that are stopped together ends after %v (median of three), want 3 s at most", took[1])
	}
	l.finish()
}
