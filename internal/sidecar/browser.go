package sidecar

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// A browser sends what the page of any site has it send, to this host as well, and such a page has no token. Where none is
// asked for, this is what tells its requests from those of an app:
//
//   - a page that changes something says in Origin or Sec-Fetch-Site that it is of elsewhere, which no app does;
//   - a page whose own name has been turned to this host, so that all this is of the same origin to its browser, has that
//     name in Host. Where others than this host can call, they may do so by any name.
//
// The zero value goes by the first alone.
type browsers struct {
	origins http.CrossOriginProtection
	local   bool // nobody but this host can call
}

// refuse returns what a request of such a page is to be told, or nothing.
func (b *browsers) refuse(r *http.Request) string {
	if b.origins.Check(r) != nil {
		return "the page of another origin may not call this API"
	}
	if b.local && !ours(r.Host) {
		return "this API is for localhost: call it by that name or by an address, or ask for a token by setting DAPR_API_TOKEN"
	}
	return ""
}

// ours reports whether no stranger can own the name that a request was sent to.
func ours(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	dot := strings.LastIndexByte(host, '.')
	return dot < 0 || slices.Contains([]string{"localhost", "local", "internal", "test"}, host[dot+1:])
}

// local reports whether nobody but this host can reach these listeners over the network.
func local(listeners []net.Listener) bool {
	return !slices.ContainsFunc(listeners, func(l net.Listener) bool {
		a, ok := l.Addr().(*net.TCPAddr)
		return !ok || !a.IP.IsLoopback()
	})
}
