package main

import (
	"context"
	"log/slog"
	"net"
	"strings"
)

// plaintextEndpoint is a plaintext address and what its clients can do.
type plaintextEndpoint struct {
	address string // empty: not a TCP port
	grants  string // what a client can do there
}

// endpointOf returns the endpoint of a listener, which may be nil or not a TCP port.
func endpointOf(l net.Listener, grants string) plaintextEndpoint {
	if l == nil || l.Addr().Network() != "tcp" {
		return plaintextEndpoint{}
	}
	return plaintextEndpoint{l.Addr().String(), grants}
}

// warnExposed warns about endpoints that other hosts can reach. Those in minor are listed only beside
// one of main.
func warnExposed(ctx context.Context, log *slog.Logger, main, minor []plaintextEndpoint) {
	open := exposed(main)
	if len(open) == 0 {
		return
	}
	open = append(open, exposed(minor)...)
	log.LogAttrs(ctx, slog.LevelWarn, "plaintext ports are reachable from other hosts", slog.String("reachable", strings.Join(open, "; ")))
}

// exposed describes the endpoints that other hosts can reach.
func exposed(endpoints []plaintextEndpoint) []string {
	var all []string
	for _, w := range endpoints {
		if w.address != "" && !onLoopback(w.address) {
			all = append(all, w.address+": "+w.grants)
		}
	}
	return all
}
