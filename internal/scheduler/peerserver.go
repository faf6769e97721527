package scheduler

import (
	"context"

	"carillon/internal/peerv1"
)

// A peerServer implements carillon.v1.Peer, the service for the other nodes of the cluster.
type peerServer struct {
	peerv1.UnimplementedPeerServer
	service *Service
}

// Apply passes the commands of another node to the [PeerAnswerer] of this node.
func (p peerServer) Apply(ctx context.Context, r *peerv1.ApplyRequest) (*peerv1.ApplyResponse, error) {
	return p.service.cfg.Peer.Apply(ctx, r)
}

// Progress passes the question of another node to the [PeerAnswerer] of this node.
func (p peerServer) Progress(ctx context.Context, r *peerv1.ProgressRequest) (*peerv1.ProgressResponse, error) {
	return p.service.cfg.Peer.AnswerProgress(ctx, r)
}

// Targets passes the question of another node to the [peerv1.Reporter] of this node.
func (p peerServer) Targets(ctx context.Context, r *peerv1.TargetsRequest) (*peerv1.TargetsResponse, error) {
	return p.service.cfg.Reporter.Targets(ctx, r)
}

// ConnectedTargets passes the question of another node to the [peerv1.Reporter] of this node.
func (p peerServer) ConnectedTargets(
	ctx context.Context, r *peerv1.ConnectedTargetsRequest,
) (*peerv1.ConnectedTargetsResponse, error) {
	return p.service.cfg.Reporter.ConnectedTargets(ctx, r)
}

// Status passes the question of another node to the [peerv1.Reporter] of this node.
func (p peerServer) Status(ctx context.Context, r *peerv1.StatusRequest) (*peerv1.NodeStatus, error) {
	return p.service.cfg.Reporter.Status(ctx, r)
}
