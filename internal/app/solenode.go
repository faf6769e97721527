package app

import (
	"context"

	"carillon/internal/peerv1"
)

// A soleNode answers questions about the nodes of a cluster for a single node. It is a
// [management.ClusterReader].
type soleNode struct {
	*nodeReporter

	address string
}

// Targets implements [management.ClusterReader].
func (n soleNode) Targets(
	ctx context.Context, r *peerv1.TargetsRequest,
) (map[string]*peerv1.TargetsResponse, []string, error) {
	resp, err := n.nodeReporter.Targets(ctx, r)
	return map[string]*peerv1.TargetsResponse{n.config.ID: resp}, nil, err
}

// ConnectedTargets implements [management.ClusterReader].
func (n soleNode) ConnectedTargets(
	ctx context.Context, r *peerv1.ConnectedTargetsRequest,
) (map[string]*peerv1.ConnectedTargetsResponse, []string, error) {
	resp, err := n.nodeReporter.ConnectedTargets(ctx, r)
	return map[string]*peerv1.ConnectedTargetsResponse{n.config.ID: resp}, nil, err
}

// Nodes implements [management.ClusterReader].
func (n soleNode) Nodes(ctx context.Context) ([]peerv1.NodeReport, error) {
	s, err := n.Status(ctx, nil)
	return []peerv1.NodeReport{{ID: n.config.ID, Address: n.address, Status: s, Member: true}}, err
}
