package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"golang.org/x/sync/errgroup"
)

// What the loss of a node is measured with: jobs that fall due often, so that each shows within a beat that it fires.
const (
	beaters  = 240
	beat     = 200 * time.Millisecond
	settling = 3 * time.Second  // between the moment when all fire again and the next loss
	lossTime = 15 * time.Second // about what each loss takes
)

// losses kills one node of a cluster after the other, each time until its share fires again and it is back; and then
// stops one in good order: row 15.
func (b *bench) losses(ctx context.Context) (results []RowResult, err error) {
	f, err := b.fleet(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.stop()) }()
	app := b.app()
	d := newDrum(b.cfg.Sizes.Losses)
	watching, end := context.WithCancel(ctx)
	defer end()
	var watchers errgroup.Group
	for host, n := range f.nodes {
		watchers.Go(func() error { d.listen(watching, f.client, host, app, n.id); return nil })
	}
	defer func() { end(); err = errors.Join(err, watchers.Wait()) }()

	every, times := "@every "+beat.String(), uint32(d.times)
	err = b.each(ctx, beaters, func(ctx context.Context, caller, i int) error {
		r := f.request(app, &schedulerv1.Job{Schedule: &every, Repeats: &times})
		r.Name = fmt.Sprint(i)
		_, err := f.on[caller%len(f.on)].ScheduleJob(ctx, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("schedule recurring jobs: %w", err)
	}
	var took []time.Duration
	for i := range b.cfg.Sizes.Losses {
		n := f.nodes[i%len(f.nodes)]
		b.progress("killing node " + n.id)
		gone, err := d.lose(ctx, b, n, n.child.kill)
		if err != nil {
			return nil, err
		}
		took = append(took, gone)
		b.progress("starting node " + n.id + " again")
		if err := b.startNode(ctx, n); err != nil {
			return nil, err
		}
		if err := f.await(ctx, len(f.nodes)); err != nil {
			return nil, err
		}
	}
	n := f.nodes[b.cfg.Sizes.Losses%len(f.nodes)]
	b.progress("stopping node " + n.id)
	stopped, err := d.lose(ctx, b, n, n.child.terminate)
	if err != nil {
		return nil, err
	}
	if err := n.child.stop(); err != nil {
		return nil, err
	}
	b.progress("waiting for the last triggers")
	if err := d.end(ctx, b, f, app); err != nil {
		return nil, err
	}
	count := d.count()
	again := count.Duplicates
	count.Duplicates = 0 // what was out when a node was lost is delivered again, as it is promised
	all := sorted(took)
	return []RowResult{{
		Row: 15, Measure: fmt.Sprintf("a node of %d is killed: its share fires again after", b.cfg.Nodes), Unit: "s",
		Value: percentile(all, 1).Seconds(), Bar: atMost(4, 2), Count: &count,
		Detail: []Figure{
			{"median", percentile(all, 0.5).Seconds(), "s"},
			{"stopped in good order: beats of 200 ms late by", in(time.Millisecond, stopped), "ms"},
			{"delivered again", float64(again), ""},
		},
		Notes: []string{fmt.Sprintf("%d kills", len(took))},
	}}, nil
}

// drum is frequently due jobs and their deliveries. It is safe for concurrent use.
type drum struct {
	times  int // how often each job comes
	ledger *ledger

	mu   sync.Mutex // guards the fields below
	last [beaters]heard
}

// heard is the last that was heard of a job.
type heard struct {
	node string
	at   time.Time
	gap  time.Duration // the longest between two beats since it was cleared
}

func newDrum(losses int) *drum {
	times := int((time.Duration(losses+1)*lossTime + lossTime) / beat)
	return &drum{times: times, ledger: newLedger(times * beaters)}
}

// listen hears what a node delivers until ctx ends. It connects again when the node is lost.
func (d *drum) listen(ctx context.Context, c *client, host int, app, node string) {
	for ctx.Err() == nil {
		_ = c.watchOne(ctx, host, app, func(name string, at time.Time) bool {
			d.hear(name, node, at)
			return true
		})
		_ = until(ctx, time.Now().Add(20*time.Millisecond))
	}
}

func (d *drum) hear(name, node string, at time.Time) {
	d.ledger.add(name, at)
	var i int
	if _, err := fmt.Sscan(name, &i); err != nil || i < 0 || i >= beaters {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	h := &d.last[i]
	if !h.at.IsZero() {
		h.gap = max(h.gap, at.Sub(h.at))
	}
	h.node, h.at = node, at
}

// lose calls away, which takes the node away, and returns by how much the beat of its jobs was longer than it should be.
func (d *drum) lose(ctx context.Context, b *bench, n *fleetNode, away func()) (late time.Duration, err error) {
	if err := d.steady(ctx, b); err != nil {
		return 0, err
	}
	d.mu.Lock()
	var share []int
	for i := range d.last {
		d.last[i].gap = 0
		if d.last[i].node == n.id {
			share = append(share, i)
		}
	}
	d.mu.Unlock()
	if len(share) == 0 {
		return 0, fmt.Errorf("node %s fires nothing that could be lost", n.id)
	}
	left := time.Now()
	away()
	deadline := left.Add(b.cfg.Sizes.Patience + startTime/10)
	for {
		missing := 0
		late = 0
		d.mu.Lock()
		for _, i := range share {
			if h := d.last[i]; h.node == n.id || !h.at.After(left) {
				missing++
			} else {
				late = max(late, h.gap-beat)
			}
		}
		d.mu.Unlock()
		if missing == 0 {
			return late, nil
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("%d of %d jobs of node %s do not fire again", missing, len(share), n.id)
		}
		if err := until(ctx, time.Now().Add(5*time.Millisecond)); err != nil {
			return 0, err
		}
	}
}

// steady returns when every job has beaten for a while without a pause.
func (d *drum) steady(ctx context.Context, b *bench) error {
	b.progress("waiting for all jobs to fire")
	deadline := time.Now().Add(startTime / 10)
	for since := time.Now(); time.Since(since) < settling; {
		if err := until(ctx, time.Now().Add(50*time.Millisecond)); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("not every job comes at its time, with all nodes there")
		}
		d.mu.Lock()
		for _, h := range d.last {
			if time.Since(h.at) > beat+time.Second {
				since = time.Now()
			}
		}
		d.mu.Unlock()
	}
	return nil
}

// end returns when no job is stored any more: each has come as often as it was to. It gives up when none comes for long.
func (d *drum) end(ctx context.Context, b *bench, f *fleet, app string) error {
	for {
		jobs, err := f.list(ctx, app)
		if _, at := d.ledger.last(); err == nil && len(jobs) == 0 || time.Since(at) > b.cfg.Sizes.Patience {
			return until(ctx, time.Now().Add(b.cfg.Sizes.Linger))
		}
		if err := until(ctx, time.Now().Add(100*time.Millisecond)); err != nil {
			return err
		}
	}
}

// count says what came of all.
func (d *drum) count() Count {
	return d.ledger.count(plan{jobs: beaters, times: d.times, due: func(int, int) time.Time { return time.Time{} }})
}
