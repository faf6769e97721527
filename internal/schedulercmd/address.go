package schedulercmd

import (
	"context"
	"net"
	"net/netip"
	"strconv"

	"carillon/internal/nodecmd"
	"carillon/internal/terminal"
)

// advertisedAddress returns the host and port that this scheduler advertises to sidecars. It listens on
// the port number (scheduler specification §3).
func (c *schedulerOptions) advertisedAddress(ctx context.Context, number int, std *terminal.Streams) string {
	if c.broadcast != "" {
		return c.broadcast
	}
	host := nodecmd.Unbracket(c.listenAddress)
	switch host {
	case "localhost", "127.0.0.1", "::1":
	default:
		host = ownAddress(ctx, std)
	}
	return net.JoinHostPort(host, strconv.Itoa(number))
}

// ownAddress returns the address of this host for other hosts: DAPR_HOST_IP, else the source address of
// packets to the Internet, else the best address of its interfaces, else loopback.
func ownAddress(ctx context.Context, std *terminal.Streams) string {
	if ip, _ := std.Env("DAPR_HOST_IP"); ip != "" {
		return nodecmd.Unbracket(ip)
	}
	for _, far := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} { // reserved addresses; a UDP dial sends nothing
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

// best returns the address that is most likely reachable from other hosts, or loopback.
func best(own []net.Addr) string {
	found := netip.MustParseAddr("127.0.0.1")
	for _, a := range own {
		if p, err := netip.ParsePrefix(a.String()); err == nil && reach(p.Addr()) > reach(found) {
			found = p.Addr()
		}
	}
	return found.String()
}

// reach orders addresses by the size of the network in which they are reachable.
func reach(ip netip.Addr) int {
	shared := netip.MustParsePrefix("100.64.0.0/10") // carrier-grade NAT
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
