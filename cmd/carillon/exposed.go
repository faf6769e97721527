package main

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
)

// A way is what a client of a plaintext address can do there.
type way struct {
	address string // empty: nobody listens
	leads   string // to what
}

// wayTo returns the way that leads through a listener, which may be nil or no port.
func wayTo(l net.Listener, leads string) way {
	if l == nil || l.Addr().Network() != "tcp" {
		return way{}
	}
	return way{l.Addr().String(), leads}
}

// warnOfWays says which ways are open to others than this host. Those in main are worth a warning; beside, only a word in
// it.
func warnOfWays(ctx context.Context, log *slog.Logger, main, beside []way) {
	open := opened(main)
	if len(open) == 0 {
		return
	}
	open = append(open, opened(beside)...)
	log.LogAttrs(ctx, slog.LevelWarn, "plaintext ports are open to the network", slog.String("reachable", strings.Join(open, "; ")))
}

// opened describes those ways that others than this host can take.
func opened(ways []way) []string {
	var all []string
	for _, w := range ways {
		if w.address != "" && !onLoopback(w.address) {
			all = append(all, w.address+": "+w.leads)
		}
	}
	return all
}

// onLoopback reports whether an address, host:port or a host, is sure to be of this host alone. A name other than
// localhost is not: it may lead anywhere tomorrow.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip, err := netip.ParseAddr(bare(host))
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}
