package scheduler

import (
	"context"

	"carillon/internal/peerv1"
)

// A peerServer implements carillon.v1.Peer, the service for the other nodes of the cluster.
type peerServer struct {
	peerv1.UnimplementedPeerServer
	server *server
}

// Apply passes the stream of another node to the [Peer] of this node.
func (p peerServer) Apply(stream peerv1.Peer_ApplyServer) error {
	s := p.server
	closing, end := context.WithCancel(stream.Context())
	defer end()
	defer s.atClose(end)()
	return s.cfg.Peer.Apply(closing, stream, s.receivers.Go, contain)
}
