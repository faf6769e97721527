package scheduler

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/identity"
	"carillon/internal/peerv1"
)

// Config configures a [Service].
type Config struct {
	// Hosts are the addresses, host:port, at which sidecars reach the nodes of this cluster.
	// Sidecars connect to each. Nil means that they are unknown until SetHosts is called.
	Hosts []string
	// Peer answers the other nodes of a cluster; nil without a cluster.
	Peer PeerAnswerer
	// Reporter tells the other nodes of a cluster how this node is; nil without a cluster.
	Reporter peerv1.Reporter
	// PeerSecret authenticates the other nodes of the cluster. Without it their calls are refused.
	PeerSecret string
	// Identity is the identity of this node; its owner runs it. If it is set, each connection uses
	// mTLS, and a caller may ask only about its own app. Otherwise any client may ask about any
	// app.
	Identity *identity.Source
	// Quota limits each namespace.
	Quota Quota
	// MaxBodyBytes is how much memory requests may use over all connections, of unary calls and of
	// streams. A request counts twice its size, encoded and decoded, from when its bytes arrive
	// until it is carried out. Requests beyond the limit are refused. 0 is 256 MiB; the minimum is
	// 16 MiB.
	MaxBodyBytes int64
	// MaxListBytes is how much memory lists of jobs may use over all connections, until they are
	// sent. A list waits ten seconds for other lists to end; then it is refused. 0 is 512 MiB; the
	// minimum is 16 MiB.
	MaxListBytes int64
	// Now is the wall clock, which resolves relative times, as in [engine.Config]; nil is
	// [time.Now].
	Now func() time.Time
	// Metrics registers the metrics of the service; nil: none.
	Metrics prometheus.Registerer
}

// A PeerAnswerer answers the other nodes of a cluster.
type PeerAnswerer interface {
	// Apply carries out the commands of another node. An error says that none has begun.
	Apply(ctx context.Context, r *peerv1.ApplyRequest) (*peerv1.ApplyResponse, error)
	// AnswerProgress tells another node how far jobs have got that this node owns.
	AnswerProgress(ctx context.Context, r *peerv1.ProgressRequest) (*peerv1.ProgressResponse, error)
}
