package cluster

import (
	"context"
	"time"

	"carillon/internal/pause"
)

const (
	// The delay before a retry doubles from minBackoff to maxBackoff.
	minBackoff = 100 * time.Millisecond
	maxBackoff = time.Second
	// releaseTimeout is how long it may take to release something; for a node that stops, in total.
	// There may be no other node left.
	releaseTimeout = 1500 * time.Millisecond
	// handOverTimeout is how long a node that stops waits until other nodes are ready to take over.
	handOverTimeout = 700 * time.Millisecond
	revokeTimeout   = 300 * time.Millisecond // limit of the revocation of a lease
)

// withGrace returns a context that ends a time d after ctx has ended.
func withGrace(ctx context.Context, d time.Duration) (longer context.Context, cancel context.CancelFunc) {
	longer, cancel = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		pause.For(longer, d)
		cancel()
	})
	return longer, cancel
}
