package simulate_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"carillon/internal/cluster"
	"carillon/internal/store"
)

// A realm is what the nodes of a cluster share: a store that compares fences, and who is a member and owns what. It
// stands for an etcd, and is always there; what can be cut, for each node, is the way to it. A request that was sent
// arrives some time, though its sender may have given up, or may be no more.
type realm struct {
	running *sync.WaitGroup // of the world

	mu       sync.Mutex // guards the fields below; it is held while the store commits
	store    store.Store
	revision int64
	claims   map[string]claim // by the keys of fences
	members  map[string]*seat
	owners   []string      // of the partitions, as assigned
	changed  chan struct{} // closed, and replaced, when members or claims change
}

// A claim is who has written a fence, and when.
type claim struct {
	by       *seat
	revision int64
}

// A seat is a session, as the realm sees it.
type seat struct {
	node  cluster.Node
	until time.Time // when its lease ends
}

const lease = 4 * time.Second

func newRealm(s store.Store, partitions int, running *sync.WaitGroup) *realm {
	return &realm{
		running: running, store: s, claims: map[string]claim{}, members: map[string]*seat{},
		owners: make([]string, partitions), changed: make(chan struct{}),
	}
}

// run ends leases when their time has come, until ctx ends.
func (r *realm) run(ctx context.Context) {
	for wait(ctx, 100*time.Millisecond) {
		r.mu.Lock()
		for _, m := range r.members {
			if time.Now().After(m.until) {
				r.drop(m)
			}
		}
		r.mu.Unlock()
	}
}

// drop ends a session with all its claims, those that are on their way among them. It is called with mu held.
func (r *realm) drop(m *seat) {
	m.until = time.Time{}
	for key, c := range r.claims {
		if c.by == m {
			delete(r.claims, key)
		}
	}
	r.leave(m)
}

// leave makes m no member any more; its claims stay. It is called with mu held.
func (r *realm) leave(m *seat) {
	if r.members[m.node.ID] == m {
		delete(r.members, m.node.ID)
	}
	r.assign()
}

// assign assigns the partitions afresh, and tells everybody that something has changed. It is called with mu held.
func (r *realm) assign() {
	r.owners = cluster.Assign(r.owners, slices.Collect(maps.Keys(r.members)))
	close(r.changed)
	r.changed = make(chan struct{})
}

// join makes n a member, and returns nil if there is one of its name.
func (r *realm) join(n cluster.Node) *seat {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members[n.ID] != nil {
		return nil
	}
	m := &seat{n, time.Now().Add(lease)}
	r.members[n.ID] = m
	r.assign()
	return m
}

// renew makes the lease of m last, if it has not ended.
func (r *realm) renew(m *seat) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Now().After(m.until) {
		return false
	}
	m.until = time.Now().Add(lease)
	return true
}

// view returns who is a member, and what is closed when that changes.
func (r *realm) view() (cluster.View, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := cluster.View{Owners: slices.Clone(r.owners)}
	for _, id := range slices.Sorted(maps.Keys(r.members)) {
		v.Members = append(v.Members, r.members[id].node)
	}
	return v, r.changed
}

// claim makes m the owner of a partition, unless another is; it returns what is closed when that may have changed.
func (r *realm) claim(m *seat, partition int) (f store.Fence, again <-chan struct{}, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := fenceKey(partition)
	if time.Now().After(m.until) {
		return f, nil, cluster.ErrLost
	}
	if c, taken := r.claims[key]; taken && c.by != m {
		return f, r.changed, nil
	}
	r.revision++
	r.claims[key] = claim{m, r.revision}
	return store.Fence{Key: key, Revision: r.revision}, nil, nil
}

func fenceKey(partition int) string { return fmt.Sprint("claim/", partition) }

func (r *realm) release(m *seat, partition int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.claims[fenceKey(partition)].by == m {
		delete(r.claims, fenceKey(partition))
		r.assign()
	}
}

func (r *realm) commit(ctx context.Context, b *store.Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range b.Fences {
		if r.claims[f.Key].revision != f.Revision {
			return store.ErrFenced
		}
	}
	return r.store.Commit(ctx, b)
}

// An outpost is what a life of a node sees of the realm: its store and its coordinator.
type outpost struct {
	realm    *realm
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

// travelOn is travel without a limit.
func travelOn[T any](ctx context.Context, o *outpost, do func() T) (T, error) {
	var none T
	o.sent()
	if o.dead.Load() {
		return none, errDead
	}
	answers := make(chan T, 1)
	o.realm.running.Go(func() {
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
		values, err := o.realm.store.Get(steady, keys...)
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
			for p, err := range o.realm.store.Scan(steady, r, limit) {
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
	answer, err := travel(ctx, o, func() error { return o.realm.commit(steady, sent) })
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
		m, err := travel(ctx, o, func() *seat { return o.realm.join(n) })
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
	_, _ = travel(context.WithoutCancel(ctx), o, func() bool { // if it does not get there, the lease ends by itself
		o.realm.mu.Lock()
		defer o.realm.mu.Unlock()
		o.realm.drop(s.seat)
		return true
	})
	if ctx.Err() == nil {
		return cluster.ErrLost
	}
	return nil
}

// A session implements [cluster.Session].
type session struct {
	outpost *outpost
	seat    *seat
	until   atomic.Int64 // when the lease may end, by the node's clock, in Unix nanoseconds
	atEnd   func(f func()) (stop func() bool)
}

// keep renews the lease until ctx ends or it is too late.
func (s *session) keep(ctx context.Context) {
	for s.Alive() && ctx.Err() == nil {
		asked := time.Now()
		before, cancel := context.WithDeadline(ctx, time.Unix(0, s.until.Load()))
		ok, err := travel(before, s.outpost, func() bool { return s.outpost.realm.renew(s.seat) })
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
				a.view, a.changed = s.outpost.realm.view()
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
	_, err := travel(ctx, s.outpost, func() bool {
		s.outpost.realm.mu.Lock()
		defer s.outpost.realm.mu.Unlock()
		s.outpost.realm.leave(s.seat)
		return true
	})
	return err
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
			a.fence, a.again, a.err = s.outpost.realm.claim(s.seat, partition)
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
	_, err := travel(ctx, s.outpost, func() bool {
		s.outpost.realm.release(s.seat, partition)
		return true
	})
	return err
}
