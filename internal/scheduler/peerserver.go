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
