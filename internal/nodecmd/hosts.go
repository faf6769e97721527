package nodecmd

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"carillon/internal/crossorigin"
	"carillon/internal/flagvalue"
)

// AllowedHosts is the help of --allowed-hosts, which sets [crossorigin.Hosts.Allowed].
const AllowedHosts = "comma-separated `names` and addresses that clients may use in the Host header, beside localhost, loopback " +
	"addresses and listen addresses; other hosts are refused (default: no restriction)"

// HostsOf returns the hosts that requests to HTTP ports on these listen addresses may name.
func HostsOf(allowed flagvalue.Strings, listen ...string) (crossorigin.Hosts, error) {
	var h crossorigin.Hosts
	for _, name := range allowed {
		if name = strings.TrimSpace(name); name != "" {
			h.Allowed = append(h.Allowed, name)
		}
	}
	for _, name := range listen {
		name = strings.TrimSpace(name)
		// An IP address is known from the connection.
		if _, err := netip.ParseAddr(Unbracket(name)); err != nil && name != "" {
			h.Own = append(h.Own, name)
		}
	}
	if err := h.Check(); err != nil {
		return crossorigin.Hosts{}, fmt.Errorf("--allowed-hosts: %w", err)
	}
	return h, nil
}

// Unbracket returns host without the brackets of an IPv6 address.
func Unbracket(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		return strings.TrimSuffix(inner, "]")
	}
	return host
}

// OnLoopback reports whether an address, a host or host:port, is reachable from this host only. A name
// other than localhost is not: it may resolve to another address later.
func OnLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip, err := netip.ParseAddr(Unbracket(host))
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}
