package cluster

import (
	"context"

	"carillon/internal/store"
)

// A Claim is the right to own one partition during a session.
type Claim struct {
	session   Session
	partition int
}

// Fence claims the partition, as [Session.Claim] does.
func (c Claim) Fence(ctx context.Context) (store.Fence, error) {
	return c.session.Claim(ctx, c.partition)
}

// Alive reports whether the node is guaranteed to still own what it has claimed. Check it before
// each delivery.
func (c Claim) Alive() bool { return c.session.Alive() }
