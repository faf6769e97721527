package clustertest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"carillon/internal/cluster"
	"carillon/internal/store"
)

// An Agreement is what the nodes of a cluster agree on: who is a member, who should own which partition, and who has
// claimed it. It is always there, and answers at once: how it is reached, and what is wrong with that, is for those who
// use it. It is safe for concurrent use.
type Agreement struct {
	store.Store // what the nodes share; its commits are refused to those who own it no more

	ttl time.Duration

	mu       sync.Mutex // guards the fields below; it is held while the store commits
	revision int64
	claims   map[string]claimRecord // by the keys of fences
	members  map[string]*Lease
	owners   []string      // of the partitions, as assigned
	changed  chan struct{} // closed, and replaced, when members or claims change
}

// A claim is who has written a fence, and when.
type claimRecord struct {
	seat     *Lease
	revision int64
}

// A Seat is a session, as the agreement sees it.
type Lease struct {
	node  cluster.Node
	until time.Time // when its lease ends
}

// NewAgreement returns one of nobody yet, about so many partitions of s. A lease lasts for ttl.
func NewAgreement(partitions int, ttl time.Duration, s store.Store) *Agreement {
	return &Agreement{
		Store: s, ttl: ttl, claims: map[string]claimRecord{}, members: map[string]*Lease{},
		owners: make([]string, partitions), changed: make(chan struct{}),
	}
}

// Expire drops the sessions whose lease has ended, of members and of those who have left and not let go.
func (a *Agreement) Expire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := slices.Collect(maps.Values(a.members))
	for _, c := range a.claims {
		all = append(all, c.seat)
	}
	for _, m := range all {
		if !m.until.IsZero() && time.Now().After(m.until) {
			a.drop(m)
		}
	}
}

// Drop ends a session with all its claims, those that are on their way among them.
func (a *Agreement) Drop(m *Lease) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop(m)
}

func (a *Agreement) drop(m *Lease) {
	m.until = time.Time{}
	maps.DeleteFunc(a.claims, func(_ string, c claimRecord) bool { return c.seat == m })
	a.leave(m)
}

// Leave makes m no member any more; its claims stay.
func (a *Agreement) Leave(m *Lease) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.leave(m)
}

func (a *Agreement) leave(m *Lease) {
	if a.members[m.node.ID] == m {
		delete(a.members, m.node.ID)
	}
	a.assign()
}

// assign assigns the partitions afresh, and tells everybody that something has changed.
func (a *Agreement) assign() {
	a.owners = cluster.Assign(a.owners, slices.Collect(maps.Keys(a.members)))
	close(a.changed)
	a.changed = make(chan struct{})
}

// Join makes n a member. If there is one of its name, it returns nil, and what is closed when that may have changed.
func (a *Agreement) Join(n cluster.Node) (m *Lease, again <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.members[n.ID] != nil {
		return nil, a.changed
	}
	m = &Lease{n, time.Now().Add(a.ttl)}
	a.members[n.ID] = m
	a.assign()
	return m, nil
}

// Renew makes the lease of m last, and reports whether it had not ended.
func (a *Agreement) Renew(m *Lease) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Now().After(m.until) {
		return false
	}
	m.until = time.Now().Add(a.ttl)
	return true
}

// View returns who is a member and should own what, and what is closed when that may have changed.
func (a *Agreement) View() (v cluster.View, changed <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v.Owners = slices.Clone(a.owners)
	for _, id := range slices.Sorted(maps.Keys(a.members)) {
		v.Members = append(v.Members, a.members[id].node)
	}
	return v, a.changed
}

// Claim makes m the owner of a partition. If another is, it returns what is closed when that may have changed.
func (a *Agreement) Claim(m *Lease, partition int) (f store.Fence, again <-chan struct{}, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := fenceKey(partition)
	if time.Now().After(m.until) {
		return f, nil, cluster.ErrLost
	}
	if c, taken := a.claims[key]; taken && c.seat != m {
		return f, a.changed, nil
	}
	a.revision++
	a.claims[key] = claimRecord{m, a.revision}
	return store.Fence{Key: key, Revision: a.revision}, nil, nil
}

func fenceKey(partition int) string { return fmt.Sprint("claim/", partition) }

// Release lets go of a partition, if m has claimed it.
func (a *Agreement) Release(m *Lease, partition int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.claims[fenceKey(partition)].seat == m {
		delete(a.claims, fenceKey(partition))
		a.assign()
	}
}

// Commit is [store.Store.Commit]: it is refused if a fence is not the present one.
func (a *Agreement) Commit(ctx context.Context, b *store.Batch) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range b.Fences {
		if a.claims[f.Key].revision != f.Revision {
			return store.ErrFenced
		}
	}
	return a.Store.Commit(ctx, &store.Batch{Writes: b.Writes}) // what keeps it has one writer
}
