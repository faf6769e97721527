package cluster

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"carillon/internal/store"
)

// A Config says who a node is and what it does as an owner.
type Config struct {
	Node Node
	// Own keeps a partition until ctx ends, and returns when nothing of it is under way any more. It is called from a
	// goroutine of its own, once at a time for each partition that is assigned to the node. It claims the partition
	// first, and again before it reads it afresh.
	RunPartition func(ctx context.Context, partition int, c Claim)
	// View is told of each new view, of the empty one when the session is lost, and of the one after the node when it
	// leaves; nil is nobody. It must be quick.
	OnView func(View)
}

// A Claim is the right to own one partition, for as long as a session lasts.
type Claim struct {
	session   Session
	partition int
}

// Fence claims the partition, as [Session.Claim] does.
func (c Claim) Fence(ctx context.Context) (store.Fence, error) {
	return c.session.Claim(ctx, c.partition)
}

// Alive reports whether what was claimed is sure to be owned yet. It is to be asked before a trigger leaves.
func (c Claim) Alive() bool { return c.session.Alive() }

const (
	// The wait before a node joins again, or looks again after an error, doubles from the first to the second.
	minBackoff = 100 * time.Millisecond
	maxBackoff = time.Second
	// How long it may take to tell the others that something is let go; of a node that is stopped, all in all. There may be
	// nobody left to tell.
	releaseTimeout = 1500 * time.Millisecond
	// How long a node that is stopped waits for the others to be about to take over.
	handOverTimeout = 700 * time.Millisecond
	revokeTimeout   = 300 * time.Millisecond // how long it may take to end the lease
)

// outlast returns a context that ends when ctx has ended for so long.
func withGrace(ctx context.Context, d time.Duration) (longer context.Context, cancel context.CancelFunc) {
	longer, cancel = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		pause(longer, d)
		cancel()
	})
	return longer, cancel
}

// Run makes the node a member until ctx ends, and then returns nil. It has the node own what is assigned to it, and let
// go of what is not. When the session is lost, the node joins again as soon as it can.
func Run(ctx context.Context, cfg Config, c Coordinator, log *slog.Logger) error {
	log = log.With(slog.String("component", "cluster"), slog.String("node", cfg.Node.ID))
	for wait := minBackoff; ctx.Err() == nil; wait = min(2*wait, maxBackoff) {
		err := c.Join(ctx, cfg.Node, func(ctx context.Context, s Session) {
			wait = minBackoff
			m := member{config: cfg, session: s, log: log, tasks: map[int]*partitionTask{}}
			m.run(ctx)
		})
		if err != nil && ctx.Err() == nil {
			log.LogAttrs(ctx, slog.LevelWarn, "not a member of the cluster; joining again", slog.Any("err", err))
			pause(ctx, wait)
		}
	}
	return nil
}

// A member is a node in a session. Its fields belong to the goroutine of run.
type member struct {
	config     Config
	session    Session
	log        *slog.Logger
	tasks      map[int]*partitionTask // the latest one of each partition
	releaseCtx context.Context        //nolint:containedctx // in which others are told: it outlasts the one of run
	running    sync.WaitGroup
}

// A task keeps one partition.
type partitionTask struct {
	stop    context.CancelFunc
	stopped bool
	done    chan struct{}
}

// run follows the views until ctx ends, and then lets go of everything: at once if the session is lost, and otherwise when
// the partitions have been given to others, who are waiting for them then.
func (m *member) run(ctx context.Context) {
	m.log.LogAttrs(ctx, slog.LevelInfo, "joined the cluster")
	owning, stop := context.WithCancel(context.WithoutCancel(ctx))
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
				m.log.LogAttrs(ctx, slog.LevelWarn, "cannot see the cluster; looking again", slog.Any("err", err))
			}
			if err == nil {
				wait = minBackoff
				m.applyView(owning, v)
			}
		}
		pause(ctx, wait)
	}
	if m.config.OnView != nil && isLost(ctx) {
		m.config.OnView(View{})
	}
	m.notify(m.handOver) //nolint:contextcheck // it goes on for a while after ctx
}

func isLost(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrLost) }

// farewell has the others take over, and tells of the view in which the node has nothing any more: it is asked for a
// while yet, and passes that on.
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

// follow starts and stops tasks as v wants it.
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

// start begins to keep a partition when the task before has ended, if there was one.
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
		for !m.notify(release) && ctx.Err() == nil { //nolint:contextcheck // others wait for it, and the lease goes on
			pause(ctx, minBackoff)
		}
	})
	return t
}

// tell calls do, unless the lease says it all, though the node may be stopped. It reports whether the others know.
func (m *member) notify(do func(context.Context) error) bool {
	if !m.session.Alive() {
		return true
	}
	bounded, cancel := context.WithTimeout(m.releaseCtx, releaseTimeout)
	defer cancel()
	err := do(bounded)
	if err != nil {
		m.log.LogAttrs(bounded, slog.LevelInfo, "cannot let go in time; the end of the lease does", slog.Any("err", err))
	}
	return err == nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
