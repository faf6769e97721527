package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// The jobs with which the loss of a node is measured.
const (
	probeJobs     = 240
	probeInterval = 200 * time.Millisecond
	steadyTime    = 3 * time.Second  // how long all jobs must fire in time before the next loss
	lossTime      = 15 * time.Second // estimate per loss
)

// probe has jobs that are due frequently, so that a node's loss shows as a pause between two
// triggers. It is safe for concurrent use.
type probe struct {
	times  int // occurrences of each job
	ledger *ledger

	mu   sync.Mutex // guards the fields below
	last [probeJobs]lastTrigger
}

// lastTrigger is the last trigger of a job.
type lastTrigger struct {
	node       string
	at         time.Time
	longestGap time.Duration // longest time between two triggers since it was reset
}

func newProbe(losses int) *probe {
	times := int((time.Duration(losses+1)*lossTime + lossTime) / probeInterval)
	return &probe{times: times, ledger: newLedger(times * probeJobs)}
}

// watch records the triggers of a node until ctx ends. It reconnects when the node is lost.
func (d *probe) watch(ctx context.Context, c *client, host int, app, node string) {
	for ctx.Err() == nil {
		_ = c.watchOne(ctx, host, app, func(name string, at time.Time) bool {
			d.record(name, node, at)
			return true
		})
		_ = until(ctx, time.Now().Add(20*time.Millisecond))
	}
}

func (d *probe) record(name, node string, at time.Time) {
	d.ledger.add(name, at)
	var i int
	if _, err := fmt.Sscan(name, &i); err != nil || i < 0 || i >= probeJobs {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	h := &d.last[i]
	if !h.at.IsZero() {
		h.longestGap = max(h.longestGap, at.Sub(h.at))
	}
	h.node, h.at = node, at
}

// measureLoss calls stop, which must end the node. It returns by how much the longest pause between
// two triggers exceeded probeInterval, among the jobs that the node had fired.
func (d *probe) measureLoss(ctx context.Context, b *bench, n *clusterNode, stop func()) (late time.Duration, err error) {
	if err := d.waitSteady(ctx, b); err != nil {
		return 0, err
	}
	d.mu.Lock()
	var share []int
	for i := range d.last {
		d.last[i].longestGap = 0
		if d.last[i].node == n.id {
			share = append(share, i)
		}
	}
	d.mu.Unlock()
	if len(share) == 0 {
		return 0, fmt.Errorf("node %s fires none of the jobs, so its loss cannot be measured", n.id)
	}
	left := time.Now()
	stop()
	deadline := left.Add(b.cfg.Sizes.Patience + startTime/10)
	for {
		missing := 0
		late = 0
		d.mu.Lock()
		for _, i := range share {
			if h := d.last[i]; h.node == n.id || !h.at.After(left) {
				missing++
			} else {
				late = max(late, h.longestGap-probeInterval)
			}
		}
		d.mu.Unlock()
		if missing == 0 {
			return late, nil
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("%d of %d jobs of node %s have not fired again in time", missing, len(share), n.id)
		}
		if err := until(ctx, time.Now().Add(5*time.Millisecond)); err != nil {
			return 0, err
		}
	}
}

// waitSteady returns when every job has been triggered in time for a while.
func (d *probe) waitSteady(ctx context.Context, b *bench) error {
	b.progress("waiting for all jobs to fire")
	deadline := time.Now().Add(startTime / 10)
	for since := time.Now(); time.Since(since) < steadyTime; {
		if err := until(ctx, time.Now().Add(50*time.Millisecond)); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("some jobs are late although all nodes run")
		}
		d.mu.Lock()
		for _, h := range d.last {
			if time.Since(h.at) > probeInterval+time.Second {
				since = time.Now()
			}
		}
		d.mu.Unlock()
	}
	return nil
}

// waitFinished returns when no job is stored, so that each has had all its occurrences. It gives up
// when no trigger comes for [Sizes].Patience.
func (d *probe) waitFinished(ctx context.Context, b *bench, f *localCluster, app string) error {
	for {
		jobs, err := f.listJobs(ctx, app)
		if _, at := d.ledger.last(); err == nil && len(jobs) == 0 || time.Since(at) > b.cfg.Sizes.Patience {
			return until(ctx, time.Now().Add(b.cfg.Sizes.Linger))
		}
		if err := until(ctx, time.Now().Add(100*time.Millisecond)); err != nil {
			return err
		}
	}
}

// count compares all deliveries with those expected.
func (d *probe) count() Count {
	return d.ledger.count(expectation{jobs: probeJobs, times: d.times, due: func(int, int) time.Time { return time.Time{} }})
}
