package browser

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Hosts are names and addresses, without ports, by which clients may call a server beside localhost, loopback addresses
// and the address that a connection came to. A name stands for itself alone, and not for those below it.
type Hosts struct {
	// Own are those that the server was told to listen on.
	Own []string
	// Allowed are those that the operator accepts. If there are any, no other is accepted, wherever a request comes from.
	Allowed []string
}

// Check returns what is wrong with the first of Allowed that can be in no Host header, or nil.
func (h Hosts) Check() error {
	for _, text := range h.Allowed {
		if at, ok := parse(withBrackets(text)); !ok || at.port {
			return fmt.Errorf("%q is neither a name nor an address: give one such as sidecar.example.com or 10.0.0.1, without a port or a wildcard", text)
		}
	}
	return nil
}

// A Guard refuses the requests of web pages. It is safe for concurrent use.
type Guard struct {
	origins    http.CrossOriginProtection
	accepted   []host
	everywhere bool
}

// New returns a guard of a server that is called by these names.
func New(h Hosts) *Guard {
	g := &Guard{everywhere: len(h.Allowed) > 0}
	for _, text := range append([]string{"localhost"}, slices.Concat(h.Own, h.Allowed)...) {
		if at, ok := parse(withBrackets(text)); ok {
			g.accepted = append(g.accepted, at.host)
		}
	}
	return g
}

// Refuse returns what the sender of a request is told that is refused with 403, or "" if it is not.
func (g *Guard) Refuse(r *http.Request) string {
	if g.origins.Check(r) != nil {
		return "the page of another origin may not call this server"
	}
	to, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	local := address(to)
	page := r.Header.Get("Origin") != ""
	if !page && (r.Host == "" || !local.IsLoopback() && !g.everywhere) { // no page leaves its host out
		return ""
	}
	if at, ok := parse(r.Host); ok && (at.addr.IsLoopback() || at.addr.IsUnspecified() || at.addr.IsValid() && at.addr == local || slices.Contains(g.accepted, at.host)) {
		return ""
	}
	return fmt.Sprintf("the host %.100q is none that this server is called by: call it by localhost or its address, "+
		"allow the name with --allowed-hosts, or have callers of the jobs API show a token by setting DAPR_API_TOKEN", r.Host)
}

// Handler returns a handler that passes on to h what g does not refuse.
func (g *Guard) Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := g.Refuse(r); why != "" {
			http.Error(w, why, http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// address returns that of a TCP connection, without a zone; the zero one of any other.
func address(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return plain(tcp.AddrPort().Addr())
	}
	return netip.Addr{}
}

func plain(a netip.Addr) netip.Addr { return a.WithZone("").Unmap() }

// A host is a name in lower case without its last dot, or an address.
type host struct {
	name string
	addr netip.Addr
}

// An authority is what a Host header says.
type authority struct {
	host
	port bool // one is given
}

// parse reads a Host header: a name, an IPv4 address or an IPv6 address in brackets, and a port if there is one. Other
// forms of an IPv4 address, as of one number, are names: browsers send the usual one.
func parse(text string) (at authority, ok bool) {
	var rest string
	if inner, v6 := strings.CutPrefix(text, "["); v6 {
		inner, rest, ok = strings.Cut(inner, "]")
		a, err := netip.ParseAddr(inner)
		if !ok || err != nil || !a.Is6() || rest != "" && rest[0] != ':' {
			return authority{}, false
		}
		at.addr = plain(a)
	} else {
		var name string
		name, _, _ = strings.Cut(text, ":")
		rest = text[len(name):]
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if !isName(name) {
			return authority{}, false
		}
		if a, err := netip.ParseAddr(name); err == nil {
			at.addr = a
		} else {
			at.name = name
		}
	}
	if number, given := strings.CutPrefix(rest, ":"); given {
		at.port = true
		if _, err := strconv.ParseUint(number, 10, 16); err != nil && number != "" {
			return authority{}, false
		}
	}
	return at, true
}

// isName reports whether name may be that of a host: labels of letters, digits, "-" and "_", with dots between them.
func isName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// withBrackets returns what a Host header has for a name or an address.
func withBrackets(text string) string {
	if a, err := netip.ParseAddr(text); err == nil && a.Is6() {
		return "[" + text + "]"
	}
	return text
}
