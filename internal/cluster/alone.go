package cluster

import (
	"context"
	"iter"

	"carillon/internal/store"
)

// Alone coordinates a single node with this many partitions, whose store has one writer by other means: the lock of
// Pebble's folder. It owns everything for as long as it runs, and its fences are zero.
type Alone int

var _ Coordinator = Alone(0)

// Join is [Coordinator.Join]. The session is never lost.
func (a Alone) Join(ctx context.Context, n Node, do func(context.Context, Session)) error {
	owners := make([]string, a)
	for p := range owners {
		owners[p] = n.ID
	}
	do(ctx, alone{View{Members: []Node{n}, Owners: owners}})
	return nil
}

// alone is the session of a single node.
type alone struct{ view View }

// Views is [Session.Views].
func (a alone) Views(ctx context.Context) iter.Seq2[View, error] {
	return func(yield func(View, error) bool) {
		if yield(a.view, nil) {
			<-ctx.Done()
		}
	}
}

// Leave is [Session.Leave].
func (alone) Leave(context.Context) error { return nil }

// Claim is [Session.Claim].
func (alone) Claim(ctx context.Context, _ int) (store.Fence, error) { return store.Fence{}, ctx.Err() }

// Release is [Session.Release].
func (alone) Release(context.Context, int) error { return nil }

// Alive is [Session.Alive].
func (alone) Alive() bool { return true }
