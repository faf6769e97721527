package cluster

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"carillon/internal/pause"
)

// member is a node in a session. Its fields belong to the goroutine of run.
type member struct {
	config     Config
	session    Session
	log        *slog.Logger
	tasks      map[int]*partitionTask // latest task of each partition
	releaseCtx context.Context        // //nolint:containedctx // for calls that release something; it outlasts the context of run
	running    sync.WaitGroup
}

// run applies the views until ctx ends, and then releases all partitions: at once if the session is
// lost, otherwise when the partitions are assigned to other nodes, which then wait for them.
func (m *member) run(ctx context.Context) {
	m.log.LogAttrs(ctx, slog.LevelInfo, "joined the cluster")
	partitions, stop := context.WithCancel(context.WithoutCancel(ctx))
	longer, cancel := withGrace(ctx, releaseTimeout)
	defer cancel()
	m.releaseCtx = longer
	defer m.running.Wait()
	defer stop()
	defer context.AfterFunc(ctx, func() {
		if isLost(ctx) {
			stop()
		}
	})()
	for wait := minBackoff; ctx.Err() == nil; wait = min(2*wait, maxBackoff) {
		for v, err := range m.session.Views(ctx) {
			if err != nil && ctx.Err() == nil {
				m.log.LogAttrs(ctx, slog.LevelWarn, "cannot read the members of the cluster; retrying", slog.Any("err", err))
			}
			if err == nil {
				wait = minBackoff
				m.applyView(partitions, v)
			}
		}
		pause.For(ctx, wait)
	}
	if m.config.OnView != nil && isLost(ctx) {
		m.config.OnView(View{})
	}
	m.notify(m.handOver) //nolint:contextcheck // it continues for a while after ctx
}

// handOver waits until the partitions are assigned to other nodes, and passes that view to OnView:
// the node still receives calls for a while, and forwards them.
func (m *member) handOver(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, handOverTimeout)
	defer cancel()
	if err := m.session.Leave(ctx); err != nil {
		return err
	}
	for v, err := range m.session.Views(ctx) {
		if err != nil {
			return err
		}
		if slices.Contains(v.Owners, m.config.Node.ID) {
			continue
		}
		if m.config.OnView != nil {
			m.config.OnView(v)
		}
		return nil
	}
	return ctx.Err()
}

// applyView starts and stops tasks according to v.
func (m *member) applyView(ctx context.Context, v View) {
	if m.config.OnView != nil {
		m.config.OnView(v)
	}
	for partition, owner := range v.Owners {
		t := m.tasks[partition]
		switch own, running := owner == m.config.Node.ID, t != nil && !t.stopped; {
		case own && !running:
			m.tasks[partition] = m.start(ctx, partition, t)
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
func (m *member) start(ctx context.Context, partition int, before *partitionTask) *partitionTask {
	keeping, stop := context.WithCancel(ctx)
	t := &partitionTask{stop: stop, done: make(chan struct{})}
	m.running.Go(func() {
		defer close(t.done)
		defer stop()
		if before != nil {
			<-before.done
		}
		m.config.RunPartition(keeping, partition, Claim{m.session, partition})
		release := func(ctx context.Context) error { return m.session.Release(ctx, partition) }
		for !m.notify(release) && ctx.Err() == nil { //nolint:contextcheck // other nodes wait for the release, and the lease is still valid
			pause.For(ctx, minBackoff)
		}
	})
	return t
}

// notify calls do, which tells other nodes something, unless the end of the lease tells them. It
// also works for a while after the node was stopped. It reports whether the others know.
func (m *member) notify(do func(context.Context) error) bool {
	if !m.session.Alive() {
		return true
	}
	bounded, cancel := context.WithTimeout(m.releaseCtx, releaseTimeout)
	defer cancel()
	err := do(bounded)
	if err != nil {
		m.log.LogAttrs(bounded, slog.LevelInfo, "cannot release a partition in time; the end of the lease releases it", slog.Any("err", err))
	}
	return err == nil
}
