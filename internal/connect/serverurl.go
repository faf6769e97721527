package connect

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// parseServer parses the URL of a server.
func parseServer(server string) (*url.URL, error) {
	u, err := url.Parse(server)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the server %q is not a URL: write it like http://localhost:3510 or https://carillon.example:3510", server)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil:
		return nil, fmt.Errorf("the server %q has more than a protocol, a host and a port: remove the rest", server)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), "3510")
	}
	return u, nil
}

// loopback reports whether a host is this one, by its name alone.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}
