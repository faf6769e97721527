package cluster

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"

	"carillon/internal/store"
)

// A Node is a member of a cluster.
type Node struct {
	// ID is its own among all members.
	ID string
	// Addr is where the others reach it.
	Addr string
	// Secret is what the others show it. It is for nodes alone: not for clients, and not for the log.
	Secret string
	// Format is the newest format of records that the node reads. A node that does not say reads only the first, 1.
	Format int
}

// A View is what the members of a cluster are at one moment, and who should own what.
type View struct {
	// Members are in the order of their IDs.
	Members []Node
	// Owners is the ID of the member that each partition is assigned to. It may own it later, or have owned it before.
	Owners []string
}

// Oldest returns the member that reads the fewest formats of records; ok is false if there are no members.
func (v View) Oldest() (oldest Node, ok bool) {
	for _, n := range v.Members {
		if !ok || n.Format < oldest.Format {
			oldest, ok = n, true
		}
	}
	return oldest, ok
}

// Place returns the place of a member in the list of the members' addresses, in ascending order, and how many members
// there are; ok is false if there is no member of that ID. Nodes that see the same view divide alike by it. Members with the
// same address are in the order of their IDs.
func (v View) Place(id string) (index, of int, ok bool) {
	at := slices.IndexFunc(v.Members, func(n Node) bool { return n.ID == id })
	if at < 0 {
		return 0, len(v.Members), false
	}
	for i, n := range v.Members {
		if c := cmp.Compare(n.Addr, v.Members[at].Addr); c < 0 || c == 0 && i < at {
			index++
		}
	}
	return index, len(v.Members), true
}

// ErrLost says that a session has ended because its lease may have: the node owns nothing any more.
var ErrLost = errors.New("the lease was not renewed in time: another node may own what was claimed")

// A Coordinator is what the nodes of a cluster agree through.
type Coordinator interface {
	// Join makes n a member, and calls do with its session. The context of do ends with ctx, and when the session is
	// lost; then its cause is ErrLost, and Join returns that. When do has returned, n is no member any more and claims
	// nothing. Join waits while another member has the same ID, and returns nil if ctx has ended.
	Join(ctx context.Context, n Node, do func(context.Context, Session)) error
}

// A Session is the time for which a node is a member. It is safe for concurrent use.
type Session interface {
	// Views yields the present view, and later ones as they come; some may be left out. It ends with ctx, or after an
	// error. A view's members are those to whom it assigns the partitions.
	Views(ctx context.Context) iter.Seq2[View, error]

	// Leave tells the others that the node will let go of all it owns: it is no member of later views.
	Leave(ctx context.Context) error

	// Claim makes the node the owner of a partition. It waits until the present owner has let go, or ctx ends. A node
	// that owns it already gets a new fence, and the one before is void: what was written with it and is still under
	// way cannot be applied any more. When it returns, it is known who owns the partition, though ctx has ended, or the
	// session has: no claim is under way that could be applied after a Release.
	Claim(ctx context.Context, partition int) (store.Fence, error)

	// Release lets go of a partition, if the node owns it.
	Release(ctx context.Context, partition int) error

	// Alive reports whether the node's lease is sure to last yet. Once it is false it stays so, and what the node has
	// claimed may have another owner.
	Alive() bool
}
