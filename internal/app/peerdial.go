package app

import (
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"carillon/internal/identity"
)

// peerDialer returns a function that connects to another node: over mTLS with the credentials of
// source, or in plaintext if source is nil.
func peerDialer(source *identity.Source) func(address string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	creds := insecure.NewCredentials()
	if source != nil {
		creds = source.Peer()
	}
	return func(address string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
		return dialPeer(address, creds, options...)
	}
}

// dialPeer connects to another node. A lost connection is retried after a second at most: the node
// may be restarting.
func dialPeer(address string, creds credentials.TransportCredentials, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	b := backoff.DefaultConfig
	b.BaseDelay, b.MaxDelay = 50*time.Millisecond, time.Second
	conn, err := grpc.NewClient("passthrough:///"+address, append(options,
		grpc.WithTransportCredentials(creds),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: b, MinConnectTimeout: 2 * time.Second}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second, PermitWithoutStream: true}),
		grpc.WithIdleTimeout(0),
		grpc.WithDisableServiceConfig(),
	)...)
	if err != nil {
		return nil, fmt.Errorf("connect to another node at %q: %w", address, err)
	}
	return conn, nil
}
