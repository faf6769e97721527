package main

import (
	"context"
	"net"
	"net/netip"
	"strconv"
)

// address returns the host and port at which sidecars are told to reach this scheduler, which listens on number
// (scheduler specification §3).
func (c *schedulerConfig) address(ctx context.Context, number int, std stdio) string {
	if c.broadcast != "" {
		return c.broadcast
	}
	host := bare(c.listenAddress)
	switch host {
	case "localhost", "127.0.0.1", "::1":
	default:
		host = ownAddress(ctx, std)
	}
	return net.JoinHostPort(host, strconv.Itoa(number))
}

// ownAddress returns the address that others know this host by: what DAPR_HOST_IP says, or else where packets to far
// away would come from, or else the best of its interfaces'. A host without a network has only itself to talk to.
func ownAddress(ctx context.Context, std stdio) string {
	if ip, _ := std.Env("DAPR_HOST_IP"); ip != "" {
		return bare(ip)
	}
	for _, far := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} { // nothing is sent there
		var d net.Dialer
		if conn, err := d.DialContext(ctx, "udp", far); err == nil {
			conn.Close()
			return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().String()
		}
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return "127.0.0.1"
	}
	return best(own)
}

// best returns the address that is most likely to be reached from elsewhere, or loopback.
func best(own []net.Addr) string {
	found := netip.MustParseAddr("127.0.0.1")
	for _, a := range own {
		if p, err := netip.ParsePrefix(a.String()); err == nil && reach(p.Addr()) > reach(found) {
			found = p.Addr()
		}
	}
	return found.String()
}

// reach orders addresses by how far away they may be known.
func reach(ip netip.Addr) int {
	shared := netip.MustParsePrefix("100.64.0.0/10") // carriers' own
	switch {
	case ip.IsLinkLocalUnicast():
		return 1
	case !ip.IsGlobalUnicast():
		return 0
	case ip.Is4() && (ip.IsPrivate() || shared.Contains(ip)):
		return 3
	case ip.IsPrivate():
		return 2
	case ip.Is4():
		return 5
	default:
		return 4
	}
}
