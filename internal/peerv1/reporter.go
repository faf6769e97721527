package peerv1

import "context"

// A Reporter says how a node is. Its methods are those of [PeerServer].
type Reporter interface {
	Targets(ctx context.Context, r *TargetsRequest) (*TargetsResponse, error)
	ConnectedTargets(ctx context.Context, r *ConnectedTargetsRequest) (*ConnectedTargetsResponse, error)
	Status(ctx context.Context, r *StatusRequest) (*NodeStatus, error)
}

// The most that a question of another node may ask for.
const (
	MaxTargets          = 100
	MaxOverdue          = 10_000
	MaxStreams          = 100
	MaxConnectedTargets = 1000
)
