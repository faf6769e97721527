package scheduler

import (
	"context"

	"carillon/internal/peerv1"
)

// A peerServer answers carillon.v1.Peer, which is what the other nodes of the cluster call.
type peerServer struct {
	peerv1.UnimplementedPeerServer
	server *server
}

// Apply has the node's [Peer] carry out what another node asks for.
func (p peerServer) Apply(stream peerv1.Peer_ApplyServer) error {
	s := p.server
	closing, end := context.WithCancel(stream.Context())
	defer end()
	defer s.atClose(end)()
	return s.cfg.Peer.Apply(closing, stream, s.receivers.Go, contain)
}
