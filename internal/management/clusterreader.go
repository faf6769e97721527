package management

import (
	"context"

	"carillon/internal/peerv1"
)

// A ClusterReader asks all nodes of a cluster, or a single node, what they have and how they are.
//
// Answers are by the ID of the node. unreachable has the names of nodes that did not answer, such as
// nodes/a.
type ClusterReader interface {
	// Targets asks what the nodes have of targets.
	Targets(ctx context.Context, r *peerv1.TargetsRequest) (
		answers map[string]*peerv1.TargetsResponse, unreachable []string, err error)
	// ConnectedTargets asks which targets have a sidecar that is connected to a node.
	ConnectedTargets(ctx context.Context, r *peerv1.ConnectedTargetsRequest) (
		answers map[string]*peerv1.ConnectedTargetsResponse, unreachable []string, err error)
	// Nodes reports on the nodes, in the order of their IDs.
	Nodes(ctx context.Context) ([]peerv1.NodeReport, error)
}
