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
	"carillon/internal/pause"
	"carillon/internal/store"
)

// lease is how long a session lasts without a heartbeat.
const lease = 4 * time.Second

// expireLeases expires leases until ctx ends.
func expireLeases(ctx context.Context, a *clustertest.Agreement) {
	for pause.For(ctx, 100*time.Millisecond) {
		a.Expire()
	}
}

// An etcdConn is the connection of one run of a node to the simulated etcd, which is the store and the
// coordinator of a cluster. The etcd never fails; the network between it and each node can. A request that
// was sent arrives eventually, even if its sender has given up or has ended.
type etcdConn struct {
	etcd     *clustertest.Agreement
	running  *sync.WaitGroup // of the world
	up, down *way
	over     <-chan struct{} // closed when the world ends
	dead     *atomic.Bool    // the node sends nothing any more
	sent     func()          // is called for each request before it leaves
}

var (
	errNoAnswer = errors.New("etcd does not answer")
	errDead     = errors.New("the node is dead")
)

// requestTimeout is how long a node waits for an answer of etcd.
const requestTimeout = 3 * time.Second

// roundTrip sends a request that runs do in etcd, and returns its result when the answer arrives.
func roundTrip[T any](ctx context.Context, o *etcdConn, do func() T) (T, error) {
	bounded, cancel := context.WithTimeoutCause(ctx, requestTimeout, errNoAnswer)
	defer cancel()
	return roundTripUntilDone(bounded, o, do)
}

// send is roundTrip for a request without a result.
func send(ctx context.Context, o *etcdConn, do func()) error {
	_, err := roundTrip(ctx, o, func() struct{} { do(); return struct{}{} })
	return err
}

// roundTripUntilDone is roundTrip without a timeout.
func roundTripUntilDone[T any](ctx context.Context, o *etcdConn, do func() T) (T, error) {
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
func (o *etcdConn) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	type answer struct {
		values [][]byte
		err    error
	}
	steady := context.WithoutCancel(ctx)
	a, err := roundTrip(ctx, o, func() answer {
		values, err := o.etcd.Get(steady, keys...)
		return answer{values, err}
	})
	return a.values, errors.Join(err, a.err)
}

// Scan implements [store.Store].
func (o *etcdConn) Scan(ctx context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	type answer struct {
		pairs []store.Pair
		err   error
	}
	steady := context.WithoutCancel(ctx)
	return func(yield func(store.Pair, error) bool) {
		a, err := roundTrip(ctx, o, func() (a answer) {
			for p, err := range o.etcd.Scan(steady, r, limit) {
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
func (o *etcdConn) Commit(ctx context.Context, b *store.Batch) error {
	// What is on its way is the caller's no more, who may give up and use b again.
	sent := &store.Batch{Fences: slices.Clone(b.Fences), Writes: slices.Clone(b.Writes)}
	steady := context.WithoutCancel(ctx)
	answer, err := roundTrip(ctx, o, func() error { return o.etcd.Commit(steady, sent) })
	if err != nil {
		return err
	}
	return answer
}

// MaxBatch implements [store.Store].
func (o *etcdConn) MaxBatch() (writes, bytes int) { return 128, 1 << 20 }

// Join implements [cluster.Coordinator].
func (o *etcdConn) Join(ctx context.Context, n cluster.Node, do func(context.Context, cluster.Session)) error {
	s := &session{etcdConn: o}
	for s.seat == nil {
		asked := time.Now()
		m, err := roundTrip(ctx, o, func() *clustertest.Lease { m, _ := o.etcd.Join(n); return m })
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was stopped
		}
		if err != nil {
			return err
		}
		s.seat = m
		s.until.Store(asked.Add(lease).UnixNano())
		if m == nil && !pause.For(ctx, 250*time.Millisecond) {
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
	// If it does not get there, the lease ends by itself.
	_ = send(context.WithoutCancel(ctx), o, func() { o.etcd.Drop(s.seat) })
	if ctx.Err() == nil {
		return cluster.ErrLost
	}
	return nil
}

// A session implements [cluster.Session].
type session struct {
	etcdConn *etcdConn
	seat     *clustertest.Lease
	until    atomic.Int64 // when the lease may end, by the node's clock, in Unix nanoseconds
	atEnd    func(f func()) (stop func() bool)
}

// keep renews the lease until ctx ends or it is too late.
func (s *session) keep(ctx context.Context) {
	for s.Alive() && ctx.Err() == nil {
		asked := time.Now()
		before, cancel := context.WithDeadline(ctx, time.Unix(0, s.until.Load()))
		ok, err := roundTrip(before, s.etcdConn, func() bool { return s.etcdConn.etcd.Renew(s.seat) })
		cancel()
		if err == nil && !ok {
			s.until.Store(0)
			return
		}
		if ok {
			s.until.Store(asked.Add(lease).UnixNano())
		}
		pause.For(ctx, min(lease/4, time.Until(time.Unix(0, s.until.Load()))))
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
			a, err := roundTrip(ctx, s.etcdConn, func() (a answer) {
				a.view, a.changed = s.etcdConn.etcd.View()
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
	return send(ctx, s.etcdConn, func() { s.etcdConn.etcd.Leave(s.seat) })
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
		a, err := roundTripUntilDone(steady, s.etcdConn, func() (a answer) {
			a.fence, a.again, a.err = s.etcdConn.etcd.Claim(s.seat, partition)
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
	return send(ctx, s.etcdConn, func() { s.etcdConn.etcd.Release(s.seat, partition) })
}
