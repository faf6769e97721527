// Package clustertest is a coordinator in memory, for tests in fake time. Like etcd, it has leases
// that end when a node is cut off, and a store that refuses fenced writes.
package clustertest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"carillon/internal/cluster"
	"carillon/internal/store"
)

// Cluster is the coordinator of the nodes of a test. It is safe for concurrent use.
type Cluster struct {
	*Agreement

	// Lag is the delay of each response. Set it before the first node joins.
	Lag time.Duration

	mu   sync.Mutex               // guards the field below
	cuts map[string]chan struct{} // nodes that are cut off; each channel is closed when its node is reconnected
}

var _ cluster.Coordinator = (*Cluster)(nil)

// New returns a cluster without nodes, with a number of partitions of s. A lease lasts for ttl.
func New(partitions int, ttl time.Duration, s store.Store) *Cluster {
	return &Cluster{Agreement: NewAgreement(partitions, ttl, s), cuts: map[string]chan struct{}{}}
}

// Cut cuts the node off from the cluster, or reconnects it. Meanwhile its lease is not renewed and
// its calls wait, including those of a store from [Cluster.For].
func (c *Cluster) Cut(id string, cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch wall := c.cuts[id]; {
	case cut && wall == nil:
		c.cuts[id] = make(chan struct{})
	case !cut && wall != nil:
		close(wall)
		delete(c.cuts, id)
	}
}

// cutOff returns a channel that is closed when the node is reconnected; nil if it is not cut off.
func (c *Cluster) cutOff(id string) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts[id]
}

// reach waits until the node is not cut off.
func (c *Cluster) reach(ctx context.Context, id string) error {
	for wall := c.cutOff(id); wall != nil; wall = c.cutOff(id) {
		select {
		case <-wall:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Owners returns the assigned owner of each partition.
func (c *Cluster) Owners() []string {
	v, _ := c.View()
	return v.Owners
}

// answer waits for the delay of a response, and reports whether ctx has not ended.
func (c *Cluster) answer(ctx context.Context) bool {
	timer := time.NewTimer(c.Lag)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// do calls f when the node is not cut off, and again when the channel from f is closed, until f
// returns nil.
func (c *Cluster) do(ctx context.Context, id string, f func() (again <-chan struct{})) error {
	for {
		if !c.answer(ctx) {
			return ctx.Err()
		}
		if err := c.reach(ctx, id); err != nil {
			return err
		}
		again := f()
		if again == nil {
			return nil
		}
		select {
		case <-again:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Join implements [cluster.Coordinator].
func (c *Cluster) Join(ctx context.Context, n cluster.Node, do func(context.Context, cluster.Session)) error {
	s := &session{cluster: c, node: n}
	err := c.do(ctx, n.ID, func() (again <-chan struct{}) {
		s.lease, again = c.Agreement.Join(n)
		return again
	})
	if err != nil {
		return nil
	}
	s.renewed = time.Now()
	inner, end := context.WithCancelCause(ctx)
	defer end(nil)
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	var kept sync.WaitGroup
	kept.Go(func() { s.renewUntil(keeping, func() { end(cluster.ErrLost) }) })
	do(inner, s)
	stop()
	kept.Wait()
	if s.Alive() {
		c.Drop(s.lease)
	}
	if errors.Is(context.Cause(inner), cluster.ErrLost) {
		return cluster.ErrLost
	}
	return nil
}

// session is the membership of one node.
type session struct {
	cluster *Cluster
	node    cluster.Node
	lease   *Lease

	mu      sync.Mutex // guards the field below
	renewed time.Time  // last renewal of the lease
}

// renewUntil renews the lease until ctx ends or the lease is lost. It removes the node from the
// cluster when a lost lease has expired.
func (s *session) renewUntil(ctx context.Context, lost func()) {
	c := s.cluster
	for ctx.Err() == nil {
		timer := time.NewTimer(c.ttl / 8)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		if !s.renew() {
			lost()
			// The cluster waits for the whole lease before it reassigns the claims.
			over := time.NewTimer(time.Until(s.renewed.Add(c.ttl)))
			<-over.C
			c.Drop(s.lease)
			return
		}
	}
}

// renew renews the lease if it can, and reports whether the lease is alive.
func (s *session) renew() bool {
	if !s.Alive() {
		return false
	}
	if s.cluster.cutOff(s.node.ID) == nil && s.cluster.Renew(s.lease) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.renewed = time.Now()
	}
	return true
}

// Alive implements [cluster.Session].
func (s *session) Alive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.renewed) < s.cluster.ttl-s.cluster.ttl/8
}

// Views implements [cluster.Session].
func (s *session) Views(ctx context.Context) iter.Seq2[cluster.View, error] {
	return func(yield func(cluster.View, error) bool) {
		last := ""
		for {
			var v cluster.View
			err := s.cluster.do(ctx, s.node.ID, func() (again <-chan struct{}) {
				v, again = s.cluster.View()
				if now := fmt.Sprint(v); now != last {
					last = now
					return nil
				}
				return again
			})
			if err != nil || !yield(v, nil) {
				return
			}
		}
	}
}

// Leave implements [cluster.Session].
func (s *session) Leave(ctx context.Context) error {
	return s.cluster.do(ctx, s.node.ID, func() <-chan struct{} {
		s.cluster.Leave(s.lease)
		return nil
	})
}

// Claim implements [cluster.Session].
func (s *session) Claim(ctx context.Context, partition int) (f store.Fence, err error) {
	lost := s.cluster.do(ctx, s.node.ID, func() (again <-chan struct{}) {
		f, again, err = s.cluster.Claim(s.lease, partition)
		return again
	})
	return f, errors.Join(lost, err)
}

// Release implements [cluster.Session].
func (s *session) Release(ctx context.Context, partition int) error {
	return s.cluster.do(ctx, s.node.ID, func() <-chan struct{} {
		s.cluster.Release(s.lease, partition)
		return nil
	})
}

// For returns the store for that node: its calls wait while the node is cut off.
func (c *Cluster) For(id string) store.Store { return reached{c, id} }

// reached is the store for a node that may be cut off.
type reached struct {
	*Cluster
	id string
}

// Get implements [store.Store].
func (r reached) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	if err := r.reach(ctx, r.id); err != nil {
		return nil, err
	}
	return r.Cluster.Get(ctx, keys...)
}

// Scan implements [store.Store].
func (r reached) Scan(ctx context.Context, rng store.Range, limit int) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		if err := r.reach(ctx, r.id); err != nil {
			yield(store.Pair{}, err)
			return
		}
		r.Cluster.Scan(ctx, rng, limit)(yield)
	}
}

// Commit implements [store.Store].
func (r reached) Commit(ctx context.Context, b *store.Batch) error {
	if err := r.reach(ctx, r.id); err != nil {
		return err
	}
	return r.Cluster.Commit(ctx, b)
}
