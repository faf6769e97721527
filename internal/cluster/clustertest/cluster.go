// Package clustertest is a cluster's agreement in memory, for tests in fake time: what etcd is to real nodes, with leases
// that end when a node is cut off, and a store that refuses what is fenced.
package clustertest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"carillon/internal/cluster"
	"carillon/internal/store"
)

// A Cluster is what the nodes of a test agree through. It is safe for concurrent use.
type Cluster struct {
	store.Store // what the nodes share; its commits are refused to those who own it no more

	// Lag is how long the nodes wait for each answer about members and claims. It is set before the first of them joins.
	Lag time.Duration

	ttl time.Duration

	mu      sync.Mutex // guards the fields below
	last    int64      // revision
	members map[string]*session
	owners  []string
	claims  map[int]claim
	cut     map[string]bool // nodes that cannot reach the cluster
	changed chan struct{}   // closed, and replaced, when anything of the above changes
}

type claim struct {
	session  *session
	revision int64
}

var _ cluster.Coordinator = (*Cluster)(nil)

// New returns a cluster of nobody yet, with so many partitions of s. A lease lasts for ttl.
func New(partitions int, ttl time.Duration, s store.Store) *Cluster {
	return &Cluster{
		Store: s, ttl: ttl, members: map[string]*session{}, owners: make([]string, partitions), claims: map[int]claim{},
		cut: map[string]bool{}, changed: make(chan struct{}),
	}
}

// Cut cuts the node off from the cluster, or lets it back in. Its lease is not renewed meanwhile, and its calls wait; those
// of the store among them if it goes through [Cluster.For].
func (c *Cluster) Cut(id string, cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut[id] = cut
	c.change()
}

// Owners returns who should own each partition.
func (c *Cluster) Owners() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.owners)
}

// change tells everybody that something has changed. It is called with mu held.
func (c *Cluster) change() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// assign gives the partitions to the members there are. It is called with mu held.
func (c *Cluster) assign() {
	c.owners = cluster.Assign(c.owners, slices.Collect(maps.Keys(c.members)))
	c.change()
}

// Commit is [store.Store.Commit]: it is refused if a fence is not the present one.
func (c *Cluster) Commit(ctx context.Context, b *store.Batch) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range b.Fences {
		if held := slices.ContainsFunc(slices.Collect(maps.Values(c.claims)), func(cl claim) bool {
			return cl.revision == f.Revision
		}); !held {
			return store.ErrFenced
		}
	}
	return c.Store.Commit(ctx, b)
}

// answer waits as long as an answer takes, and reports whether ctx lasted.
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

// do calls f with mu held, once the node is not cut off, and again whenever something has changed, until it reports that
// it is done.
func (c *Cluster) do(ctx context.Context, id string, f func() (done bool)) error {
	for {
		if !c.answer(ctx) {
			return ctx.Err()
		}
		c.mu.Lock()
		if !c.cut[id] && f() {
			c.mu.Unlock()
			return nil
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Join is [cluster.Coordinator.Join].
func (c *Cluster) Join(ctx context.Context, n cluster.Node, do func(context.Context, cluster.Session)) error {
	s := &session{cluster: c, node: n}
	err := c.do(ctx, n.ID, func() bool {
		if c.members[n.ID] != nil {
			return false
		}
		s.renewed = time.Now()
		c.members[n.ID] = s
		c.assign()
		return true
	})
	if err != nil {
		return nil
	}
	inner, end := context.WithCancelCause(ctx)
	defer end(nil)
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	var kept sync.WaitGroup
	kept.Go(func() { s.keep(keeping, func() { end(cluster.ErrLost) }) })
	do(inner, s)
	stop()
	kept.Wait()
	if s.Alive() {
		s.remove()
	}
	if errors.Is(context.Cause(inner), cluster.ErrLost) {
		return cluster.ErrLost
	}
	return nil
}

// A session is one node's membership.
type session struct {
	cluster *Cluster
	node    cluster.Node

	renewed time.Time // when the lease was renewed last; guarded by the cluster's mu
	lost    bool
}

// keep renews the lease until ctx ends or it is lost, and has the cluster forget the node when the lease is over.
func (s *session) keep(ctx context.Context, lost func()) {
	c := s.cluster
	for ctx.Err() == nil {
		timer := time.NewTimer(c.ttl / 8)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		c.mu.Lock()
		if !c.cut[s.node.ID] && s.alive() {
			s.renewed = time.Now()
		}
		alive := s.alive()
		c.mu.Unlock()
		if !alive {
			lost()
			// The cluster waits for the whole of the lease before it gives away what was claimed.
			over := time.NewTimer(time.Until(s.renewed.Add(c.ttl)))
			<-over.C
			s.remove()
			return
		}
	}
}

// remove ends the lease, and with it the claims.
func (s *session) remove() {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	s.lost = true
	maps.DeleteFunc(c.claims, func(_ int, cl claim) bool { return cl.session == s })
	if c.members[s.node.ID] == s {
		delete(c.members, s.node.ID)
	}
	c.assign()
}

// alive is Alive, with mu held.
func (s *session) alive() bool {
	return !s.lost && time.Since(s.renewed) < s.cluster.ttl-s.cluster.ttl/8
}

// Alive is [cluster.Session.Alive].
func (s *session) Alive() bool {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	return s.alive()
}

// Views is [cluster.Session.Views].
func (s *session) Views(ctx context.Context) iter.Seq2[cluster.View, error] {
	c := s.cluster
	return func(yield func(cluster.View, error) bool) {
		var last []string
		for {
			var v cluster.View
			err := c.do(ctx, s.node.ID, func() bool {
				for _, id := range slices.Sorted(maps.Keys(c.members)) {
					v.Members = append(v.Members, c.members[id].node)
				}
				v.Owners = slices.Clone(c.owners)
				if now := fmt.Sprint(v); last == nil || now != last[0] {
					last = []string{now}
					return true
				}
				v = cluster.View{}
				return false
			})
			if err != nil || !yield(v, nil) {
				return
			}
		}
	}
}

// Leave is [cluster.Session.Leave].
func (s *session) Leave(ctx context.Context) error {
	c := s.cluster
	return c.do(ctx, s.node.ID, func() bool {
		delete(c.members, s.node.ID)
		c.assign()
		return true
	})
}

// Claim is [cluster.Session.Claim].
func (s *session) Claim(ctx context.Context, partition int) (f store.Fence, err error) {
	c := s.cluster
	err = c.do(ctx, s.node.ID, func() bool {
		if held, ok := c.claims[partition]; ok && held.session != s || !s.alive() {
			return false
		}
		c.last++
		c.claims[partition] = claim{s, c.last}
		f = store.Fence{Key: fmt.Sprint(partition), Revision: c.last}
		return true
	})
	return f, err
}

// Release is [cluster.Session.Release].
func (s *session) Release(ctx context.Context, partition int) error {
	c := s.cluster
	return c.do(ctx, s.node.ID, func() bool {
		if c.claims[partition].session == s {
			delete(c.claims, partition)
			c.change()
		}
		return true
	})
}

// For returns the store as that node sees it: what it asks for waits while it is cut off.
func (c *Cluster) For(id string) store.Store { return reached{c, id} }

// reached is the store of a node that may be cut off.
type reached struct {
	*Cluster
	id string
}

func (r reached) wait(ctx context.Context) error {
	for {
		r.mu.Lock()
		cut, changed := r.cut[r.id], r.changed
		r.mu.Unlock()
		if !cut {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Get is [store.Store.Get].
func (r reached) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	if err := r.wait(ctx); err != nil {
		return nil, err
	}
	return r.Cluster.Get(ctx, keys...)
}

// Scan is [store.Store.Scan].
func (r reached) Scan(ctx context.Context, rng store.Range, limit int) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		if err := r.wait(ctx); err != nil {
			yield(store.Pair{}, err)
			return
		}
		r.Cluster.Scan(ctx, rng, limit)(yield)
	}
}

// Commit is [store.Store.Commit].
func (r reached) Commit(ctx context.Context, b *store.Batch) error {
	if err := r.wait(ctx); err != nil {
		return err
	}
	return r.Cluster.Commit(ctx, b)
}
