package cluster

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"carillon/internal/pause"
)

// A sessionNode is a node in a session. Its fields belong to the goroutine of run.
type sessionNode struct {
	config     Config
	session    Session
	log        *slog.Logger
	tasks      map[int]*partitionTask // latest task of each partition
	releaseCtx context.Context        //nolint:containedctx // for calls that release something; it outlasts the context of run
	running    sync.WaitGroup
}

// run applies the views until ctx ends, and then releases all partitions: at once if the session is
// lost, otherwise when the partitions are assigned to other nodes, which then wait for them.
func (n *sessionNode) run(ctx context.Context) {
	n.log.LogAttrs(ctx, slog.LevelInfo, "joined the cluster")
	partitions, stop := context.WithCancel(context.WithoutCancel(ctx))
	longer, cancel := withGrace(ctx, releaseTimeout)
	defer cancel()
	n.releaseCtx = longer
	defer n.running.Wait()
	defer stop()
	defer context.AfterFunc(ctx, func() {
		if isLost(ctx) {
			stop()
		}
	})()
	for wait := minBackoff; ctx.Err() == nil; wait = min(2*wait, maxBackoff) {
		for v, err := range n.session.Views(ctx) {
			if err != nil && ctx.Err() == nil {
				n.log.LogAttrs(ctx, slog.LevelWarn, "cannot read the members of the cluster; retrying", slog.Any("err", err))
			}
			if err == nil {
				wait = minBackoff
				n.applyView(partitions, v)
			}
		}
		pause.For(ctx, wait)
	}
	if n.config.OnView != nil && isLost(ctx) {
		n.config.OnView(View{})
	}
	n.notify(n.handOver) //nolint:contextcheck // it continues for a while after ctx
}

// handOver waits until the partitions are assigned to other nodes, and passes that view to OnView:
// the node still receives calls for a while, and forwards them.
func (n *sessionNode) handOver(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, handOverTimeout)
	defer cancel()
	if err := n.session.Leave(ctx); err != nil {
		return err
	}
	for v, err := range n.session.Views(ctx) {
		if err != nil {
			return err
		}
		if slices.Contains(v.Owners, n.config.Node.ID) {
			continue
		}
		if n.config.OnView != nil {
			n.config.OnView(v)
		}
		return nil
	}
	return ctx.Err()
}

// applyView starts and stops tasks according to v.
func (n *sessionNode) applyView(ctx context.Context, v View) {
	if n.config.OnView != nil {
		n.config.OnView(v)
	}
	for partition, owner := range v.Owners {
		t := n.tasks[partition]
		switch own, running := owner == n.config.Node.ID, t != nil && !t.stopped; {
		case own && !running:
			n.tasks[partition] = n.start(ctx, partition, t)
		case !own && running:
			t.stopped = true
			t.stop()
		}
	}
}

// partitionTask runs one partition.
type partitionTask struct {
	stop    context.CancelFunc
	stopped bool
	done    chan struct{}
}

// start starts a task for a partition after the previous task, if there was one, has ended.
func (n *sessionNode) start(ctx context.Context, partition int, before *partitionTask) *partitionTask {
	keeping, stop := context.WithCancel(ctx)
	t := &partitionTask{stop: stop, done: make(chan struct{})}
	n.running.Go(func() {
		defer close(t.done)
		defer stop()
		if before != nil {
			<-before.done
		}
		n.config.RunPartition(keeping, partition, Claim{n.session, partition})
		release := func(ctx context.Context) error { return n.session.Release(ctx, partition) }
		for !n.notify(release) && ctx.Err() == nil { //nolint:contextcheck // other nodes wait for the release, and the lease is still valid
			pause.For(ctx, minBackoff)
		}
	})
	return t
}

// notify calls do, which tells other nodes something, unless the end of the lease tells them. It
// also works for a while after the node was stopped. It reports whether the others know.
func (n *sessionNode) notify(do func(context.Context) error) bool {
	if !n.session.Alive() {
		return true
	}
	bounded, cancel := context.WithTimeout(n.releaseCtx, releaseTimeout)
	defer cancel()
	err := do(bounded)
	if err != nil {
		n.log.LogAttrs(bounded, slog.LevelInfo, "cannot release a partition in time; the end of the lease releases it", slog.Any("err", err))
	}
	return err == nil
}
