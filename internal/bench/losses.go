package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"golang.org/x/sync/errgroup"
)

// losses kills one node of a cluster after the other, each once the previous one is back and all
// jobs fire again. Then it stops a node gracefully: row 15.
func (b *bench) losses(ctx context.Context) (results []RowResult, err error) {
	f, err := b.startCluster(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.stop()) }()
	app := b.newApp()
	d := newProbe(b.cfg.Sizes.Losses)
	watching, end := context.WithCancel(ctx)
	defer end()
	var watchers errgroup.Group
	for host, n := range f.nodes {
		watchers.Go(func() error { d.watch(watching, f.client, host, app, n.id); return nil })
	}
	defer func() { end(); err = errors.Join(err, watchers.Wait()) }()

	every, times := "@every "+probeInterval.String(), uint32(d.times)
	err = b.inParallel(ctx, probeJobs, func(ctx context.Context, caller, i int) error {
		r := f.request(app, &schedulerv1.Job{Schedule: &every, Repeats: &times})
		r.Name = fmt.Sprint(i)
		_, err := f.stubs[caller%len(f.stubs)].ScheduleJob(ctx, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("schedule recurring jobs: %w", err)
	}
	var took []time.Duration
	for i := range b.cfg.Sizes.Losses {
		n := f.nodes[i%len(f.nodes)]
		b.progress("killing node " + n.id)
		gone, err := d.measureLoss(ctx, b, n, n.child.kill)
		if err != nil {
			return nil, err
		}
		took = append(took, gone)
		b.progress("starting node " + n.id + " again")
		if err := b.startNode(ctx, n); err != nil {
			return nil, err
		}
		if err := f.waitMembers(ctx, len(f.nodes)); err != nil {
			return nil, err
		}
	}
	n := f.nodes[b.cfg.Sizes.Losses%len(f.nodes)]
	b.progress("stopping node " + n.id)
	stopped, err := d.measureLoss(ctx, b, n, n.child.terminate)
	if err != nil {
		return nil, err
	}
	if err := n.child.stop(); err != nil {
		return nil, err
	}
	b.progress("waiting for the last triggers")
	if err := d.waitFinished(ctx, b, f, app); err != nil {
		return nil, err
	}
	count := d.count()
	again := count.Duplicates
	count.Duplicates = 0 // triggers in flight on a lost node are redelivered
	all := sorted(took)
	return []RowResult{{
		Row: 15, Measure: fmt.Sprintf("a node of %d is killed: its share fires again after", b.cfg.Nodes), Unit: "s",
		Value: percentile(all, 1).Seconds(), Threshold: atMost(4, 2), Count: &count,
		Detail: []Figure{
			{"median", percentile(all, 0.5).Seconds(), "s"},
			{"stopped gracefully: triggers late by", in(time.Millisecond, stopped), "ms"},
			{"redelivered", float64(again), ""},
		},
		Notes: []string{fmt.Sprintf("%d kills", len(took))},
	}}, nil
}
