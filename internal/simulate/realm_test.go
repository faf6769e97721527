package simulate_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"carillon/internal/cluster"
	"carillon/internal/cluster/clustertest"
	"carillon/internal/store"
)

// lease is how long a session lasts in the realm that has not been renewed.
const lease = 4 * time.Second

// runRealm ends leases when their time has come, until ctx ends.
func runRealm(ctx context.Context, a *clustertest.Agreement) {
	for wait(ctx, 100*time.Millisecond) {
		a.Expire()
	}
}

// An outpost is what a life of a node sees of the realm, which is what the nodes of a cluster share: its store and its
// coordinator. The realm stands for an etcd, and is always there; what can be cut, for each node, is the way to it. A
// request that was sent arrives some time, though its sender may have given up, or may be no more.
type outpost struct {
	realm    *clustertest.Agreement
	running  *sync.WaitGroup // of the world
	up, down *way
	over     <-chan struct{} // closed when the world ends
	dead     *atomic.Bool    // the node sends nothing any more
	sent     func()          // is called for each request before it leaves
}

var (
	errNoAnswer = errors.New("the realm does not answer")
	errDead     = errors.New("the node is dead")
)

// patience is how long a node waits for an answer of the realm.
const patience = 3 * time.Second

// travel has do carried out at the realm, and returns what it returns when that has come back.
func travel[T any](ctx context.Context, o *outpost, do func() T) (T, error) {
	patient, cancel := context.WithTimeoutCause(ctx, patience, errNoAnswer)
	defer cancel()
	return travelOn(patient, o, do)
}

// send is travel for what has no answer but that it is done.
func send(ctx context.Context, o *outpost, do func()) error {
	_, err := travel(ctx, o, func() struct{} { do(); return struct{}{} })
	return err
}

// travelOn is travel without a limit.
func travelOn[T any](ctx context.Context, o *outpost, do func() T) (T, error) {
	var none T
	o.sent()
	if o.dead.Load() {
		return none, errDead
	}
	answers := make(chan T, 1)
	o.running.Go(func() {
		if !o.up.pass(o.over) {
			return
		}
		answer := do()
		if o.down.pass(o.over) {
			answers <- answer
		}
	})
	select {
	case answer := <-answers:
		return answer, nil
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

// Get implements [store.Store].
func (o *outpost) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	type answer struct {
		values [][]byte
		err    error
	}
	steady := context.WithoutCancel(ctx)
	a, err := travel(ctx, o, func() answer {
		values, err := o.realm.Get(steady, keys...)
		return answer{values, err}
	})
	return a.values, errors.Join(err, a.err)
}

// Scan implements [store.Store].
func (o *outpost) Scan(ctx context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	type answer struct {
		pairs []store.Pair
		err   error
	}
	steady := context.WithoutCancel(ctx)
	return func(yield func(store.Pair, error) bool) {
		a, err := travel(ctx, o, func() (a answer) {
			for p, err := range o.realm.Scan(steady, r, limit) {
				if a.err = err; err != nil {
					break
				}
				a.pairs = append(a.pairs, store.Pair{Key: slices.Clone(p.Key), Value: slices.Clone(p.Value)})
			}
			return a
		})
		for _, p := range a.pairs {
			if !yield(p, nil) {
				return
			}
		}
		if err := errors.Join(err, a.err); err != nil {
			yield(store.Pair{}, err)
		}
	}
}

// Commit implements [store.Store].
func (o *outpost) Commit(ctx context.Context, b *store.Batch) error {
	// What is on its way is the caller's no more, who may give up and use b again.
	sent := &store.Batch{Fences: slices.Clone(b.Fences), Writes: slices.Clone(b.Writes)}
	steady := context.WithoutCancel(ctx)
	answer, err := travel(ctx, o, func() error { return o.realm.Commit(steady, sent) })
	if err != nil {
		return err
	}
	return answer
}

// MaxBatch implements [store.Store].
func (o *outpost) MaxBatch() (writes, bytes int) { return 128, 1 << 20 }

// Join implements [cluster.Coordinator].
func (o *outpost) Join(ctx context.Context, n cluster.Node, do func(context.Context, cluster.Session)) error {
	s := &session{outpost: o}
	for s.seat == nil {
		asked := time.Now()
		m, err := travel(ctx, o, func() *clustertest.Lease { m, _ := o.realm.Join(n); return m })
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was stopped
		}
		if err != nil {
			return err
		}
		s.seat = m
		s.until.Store(asked.Add(lease).UnixNano())
		if m == nil && !wait(ctx, 250*time.Millisecond) {
			return nil
		}
	}
	lasting, lose := context.WithCancelCause(ctx)
	s.atEnd = func(f func()) (stop func() bool) { return context.AfterFunc(lasting, f) }
	var keeping sync.WaitGroup
	keeping.Go(func() { s.keep(lasting); lose(cluster.ErrLost) })
	do(lasting, s)
	lose(nil)
	keeping.Wait()
	_ = send(context.WithoutCancel(ctx), o, func() { o.realm.Drop(s.seat) }) // if it does not get there, the lease ends by itself
	if ctx.Err() == nil {
		return cluster.ErrLost
	}
	return nil
}

// A session implements [cluster.Session].
type session struct {
	outpost *outpost
	seat    *clustertest.Lease
	until   atomic.Int64 // when the lease may end, by the node's clock, in Unix nanoseconds
	atEnd   func(f func()) (stop func() bool)
}

// keep renews the lease until ctx ends or it is too late.
func (s *session) keep(ctx context.Context) {
	for s.Alive() && ctx.Err() == nil {
		asked := time.Now()
		before, cancel := context.WithDeadline(ctx, time.Unix(0, s.until.Load()))
		ok, err := travel(before, s.outpost, func() bool { return s.outpost.realm.Renew(s.seat) })
		cancel()
		if err == nil && !ok {
			s.until.Store(0)
			return
		}
		if ok {
			s.until.Store(asked.Add(lease).UnixNano())
		}
		wait(ctx, min(lease/4, time.Until(time.Unix(0, s.until.Load()))))
	}
}

// Alive implements [cluster.Session].
func (s *session) Alive() bool { return time.Now().UnixNano() < s.until.Load() }

// Views implements [cluster.Session].
func (s *session) Views(ctx context.Context) iter.Seq2[cluster.View, error] {
	type answer struct {
		view    cluster.View
		changed <-chan struct{}
	}
	return func(yield func(cluster.View, error) bool) {
		for ctx.Err() == nil {
			a, err := travel(ctx, s.outpost, func() (a answer) {
				a.view, a.changed = s.outpost.realm.View()
				return a
			})
			if !yield(a.view, err) || err != nil {
				return
			}
			select {
			case <-a.changed:
			case <-ctx.Done():
			}
		}
	}
}

// Leave implements [cluster.Session].
func (s *session) Leave(ctx context.Context) error {
	return send(ctx, s.outpost, func() { s.outpost.realm.Leave(s.seat) })
}

// Claim implements [cluster.Session].
func (s *session) Claim(ctx context.Context, partition int) (store.Fence, error) {
	type answer struct {
		fence store.Fence
		again <-chan struct{}
		err   error
	}
	steady, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer s.atEnd(cancel)()
	for {
		a, err := travelOn(steady, s.outpost, func() (a answer) {
			a.fence, a.again, a.err = s.outpost.realm.Claim(s.seat, partition)
			return a
		})
		if err := errors.Join(err, a.err); err != nil || a.again == nil {
			return a.fence, err
		}
		select {
		case <-a.again:
		case <-ctx.Done():
			return store.Fence{}, ctx.Err()
		}
	}
}

// Release implements [cluster.Session].
func (s *session) Release(ctx context.Context, partition int) error {
	return send(ctx, s.outpost, func() { s.outpost.realm.Release(s.seat, partition) })
}
