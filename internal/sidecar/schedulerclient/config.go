package schedulerclient

import (
	"context"
	"net"

	"google.golang.org/grpc/credentials"

	"carillon/internal/sidecar/daprmetrics"
)

// A Config says which schedulers there are and how to reach them.
type Config struct {
	// Addresses are host:port of one or more schedulers; none means that there is no scheduler.
	Addresses   []string
	Dial        func(ctx context.Context, address string) (net.Conn, error)
	Credentials credentials.TransportCredentials
	// NoPings disables the pings that detect dead connections.
	NoPings bool
	// Calls counts the unary calls.
	Calls daprmetrics.GRPCCalls
	// Listed is called after each list of hosts, changed or not.
	Listed func(ctx context.Context)
}
