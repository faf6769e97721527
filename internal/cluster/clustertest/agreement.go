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

// Agreement is the shared state of a cluster: the members, the assignment, and the claims. It is
// always available and responds at once; its users simulate delays and failures. It is safe for
// concurrent use.
type Agreement struct {
	store.Store // the shared store; commits of former owners are refused

	ttl time.Duration

	mu       sync.Mutex // guards the fields below; it is held while the store commits
	revision int64
	claims   map[string]claimRecord // by fence key
	members  map[string]*Lease
	owners   []string      // assigned owners of the partitions
	changed  chan struct{} // closed, and replaced, when members or claims change
}

// claimRecord is the lease that has a claim, and the revision of the claim.
type claimRecord struct {
	seat     *Lease
	revision int64
}

// Lease is the lease of a session.
type Lease struct {
	node  cluster.Node
	until time.Time // expiry
}

// NewAgreement returns one without members for a number of partitions of s. A lease lasts for ttl.
func NewAgreement(partitions int, ttl time.Duration, s store.Store) *Agreement {
	return &Agreement{
		Store: s, ttl: ttl, claims: map[string]claimRecord{}, members: map[string]*Lease{},
		owners: make([]string, partitions), changed: make(chan struct{}),
	}
}

// Expire ends the expired sessions, both of members and of nodes that have left without releasing
// their claims.
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

// Drop ends a session with all its claims, including those in progress.
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

// Leave removes the member of m; its claims stay.
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

// assign computes the assignment and wakes all waiters.
func (a *Agreement) assign() {
	a.owners = cluster.Assign(a.owners, slices.Collect(maps.Keys(a.members)))
	close(a.changed)
	a.changed = make(chan struct{})
}

// Join makes n a member. If a member has its ID, Join returns nil, and a channel that is closed
// when that may have changed.
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

// Renew renews the lease m, and reports whether it had not expired.
func (a *Agreement) Renew(m *Lease) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Now().After(m.until) {
		return false
	}
	m.until = time.Now().Add(a.ttl)
	return true
}

// View returns the present view, and a channel that is closed when it may have changed.
func (a *Agreement) View() (v cluster.View, changed <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v.Owners = slices.Clone(a.owners)
	for _, id := range slices.Sorted(maps.Keys(a.members)) {
		v.Members = append(v.Members, a.members[id].node)
	}
	return v, a.changed
}

// Claim makes m the owner of a partition. If another lease is, it returns a channel that is closed
// when that may have changed.
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

// Release releases a partition, if m has claimed it.
func (a *Agreement) Release(m *Lease, partition int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.claims[fenceKey(partition)].seat == m {
		delete(a.claims, fenceKey(partition))
		a.assign()
	}
}

// Commit implements [store.Store]. It refuses a batch with an outdated fence.
func (a *Agreement) Commit(ctx context.Context, b *store.Batch) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range b.Fences {
		if a.claims[f.Key].revision != f.Revision {
			return store.ErrFenced
		}
	}
	return a.Store.Commit(ctx, &store.Batch{Writes: b.Writes}) // the store below supports no fences
}
