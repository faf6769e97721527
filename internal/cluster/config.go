package cluster

import (
	"context"
)

// Config configures a node of a cluster.
type Config struct {
	Node Node
	// RunPartition runs a partition until ctx ends, and returns when nothing of the partition is in
	// progress. It is called in its own goroutine, once at a time for each partition that is
	// assigned to the node. It must claim the partition before it reads the partition's records,
	// and again before each later reload.
	RunPartition func(ctx context.Context, partition int, c Claim)
	// OnView is called with each new view: an empty one when the session is lost, and the view
	// without the node when it leaves. It must be quick. It may be nil.
	OnView func(View)
}
