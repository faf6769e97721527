package nodecmd

import (
	"context"
	"log/slog"
	"net"
	"strings"
)

// PlaintextEndpoint is a plaintext address and what its clients can do.
type PlaintextEndpoint struct {
	Address string // empty: not a TCP port
	Grants  string // what a client can do there
}

// EndpointOf returns the endpoint of a listener, which may be nil or not a TCP port.
func EndpointOf(l net.Listener, grants string) PlaintextEndpoint {
	if l == nil || l.Addr().Network() != "tcp" {
		return PlaintextEndpoint{}
	}
	return PlaintextEndpoint{l.Addr().String(), grants}
}

// WarnExposed warns about endpoints that other hosts can reach. Those in minor are listed only beside
// one of main.
func WarnExposed(ctx context.Context, log *slog.Logger, main, minor []PlaintextEndpoint) {
	open := exposed(main)
	if len(open) == 0 {
		return
	}
	open = append(open, exposed(minor)...)
	log.LogAttrs(ctx, slog.LevelWarn, "plaintext ports are reachable from other hosts", slog.String("reachable", strings.Join(open, "; ")))
}

// exposed describes the endpoints that other hosts can reach.
func exposed(endpoints []PlaintextEndpoint) []string {
	var all []string
	for _, w := range endpoints {
		if w.Address != "" && !OnLoopback(w.Address) {
			all = append(all, w.Address+": "+w.Grants)
		}
	}
	return all
}
