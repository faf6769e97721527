package cluster

import (
	"context"
	"errors"
	"iter"

	"carillon/internal/store"
)

// ErrLost means that a session has ended because its lease may have expired: the node owns nothing
// any more.
var ErrLost = errors.New("the lease was not renewed in time: other nodes may own its partitions")

// A Coordinator is how the nodes of a cluster agree.
type Coordinator interface {
	// Join makes n a member, and calls do with its session. The context of do ends with ctx, or
	// when the session is lost: then its cause is ErrLost, and Join returns that. When do has
	// returned, n is no longer a member and has no claims. Join waits while another member has the
	// same ID, and returns nil if ctx has ended.
	Join(ctx context.Context, n Node, do func(context.Context, Session)) error
}

// A Session is a period in which a node is a member. It is safe for concurrent use.
type Session interface {
	// Views yields the present view and later ones; it may skip some. It ends with ctx, or after an
	// error. The members of a view are those to whom it assigns partitions.
	Views(ctx context.Context) iter.Seq2[View, error]

	// Leave announces that the node will release all its partitions: it is not a member of later
	// views.
	Leave(ctx context.Context) error

	// Claim makes the node the owner of a partition. It waits until the present owner has released
	// the partition, or ctx ends. If the node is the owner already, it gets a new fence, and the
	// previous one becomes invalid: writes in progress with that fence can no longer be applied.
	// When Claim returns, even after the end of ctx or of the session, the owner is certain: no
	// claim is in progress that could be applied after a Release.
	Claim(ctx context.Context, partition int) (store.Fence, error)

	// Release releases a partition, if the node owns it.
	Release(ctx context.Context, partition int) error

	// Alive reports whether the node's lease is guaranteed to still be valid. Once it is false it
	// stays so, and the node's partitions may have other owners.
	Alive() bool
}

// isLost reports whether ctx ended because the session was lost.
func isLost(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrLost) }
