package crossorigin

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Hosts are names and addresses, without ports, that clients may use in Host, besides localhost,
// loopback addresses and the local address of a connection. A name does not include its subdomains.
type Hosts struct {
	// Own are the hosts that the server is configured to listen on.
	Own []string
	// Allowed are the hosts that the operator allows. If there are any, all requests are checked.
	Allowed []string
}

// Check returns an error if one of Allowed cannot be in a Host header.
func (h Hosts) Check() error {
	for _, text := range h.Allowed {
		if at, ok := parse(withBrackets(text)); !ok || at.port {
			return fmt.Errorf("%q is neither a name nor an address: give one such as sidecar.example.com or 10.0.0.1, without a port or a wildcard", text)
		}
	}
	return nil
}

// A Protection refuses requests of web pages. It is safe for concurrent use.
type Protection struct {
	origins    http.CrossOriginProtection
	accepted   []hostname
	everywhere bool
	help       string // what else helps than to allow a host
}

// New returns the protection of a server with these names.
func New(h Hosts) *Protection {
	p := &Protection{everywhere: len(h.Allowed) > 0, help: " or allow the name with --allowed-hosts"}
	for _, text := range append([]string{"localhost"}, slices.Concat(h.Own, h.Allowed)...) {
		if at, ok := parse(withBrackets(text)); ok {
			p.accepted = append(p.accepted, at.hostname)
		}
	}
	return p
}

// NewUnlessToken is New for a server that needs no protection while it requires a token, which a
// setting provides.
func NewUnlessToken(h Hosts, setting string) *Protection {
	p := New(h)
	p.help = " allow the name with --allowed-hosts, or require a token by setting " + setting
	return p
}

// Refuse returns the reason for which a request is refused, with 403, or "" if it is accepted.
func (p *Protection) Refuse(r *http.Request) string {
	if p.origins.Check(r) != nil {
		return "the page of another origin may not call this server"
	}
	to, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	local := address(to)
	page := r.Header.Get("Origin") != ""
	if !page && (r.Host == "" || !local.IsLoopback() && !p.everywhere) { // a browser always sends Host
		return ""
	}
	if at, ok := parse(r.Host); ok && (at.addr.IsLoopback() || at.addr.IsUnspecified() || at.addr.IsValid() && at.addr == local || slices.Contains(p.accepted, at.hostname)) {
		return ""
	}
	return fmt.Sprintf("the host %.100q is not a name of this server: call it by localhost or its address,%s", r.Host, p.help)
}

// Handler returns a handler that passes the requests that p accepts to h.
func (p *Protection) Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := p.Refuse(r); why != "" {
			http.Error(w, why, http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// address returns the address of a TCP connection, without a zone; the zero value for any other.
func address(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return unmapped(tcp.AddrPort().Addr())
	}
	return netip.Addr{}
}

func unmapped(a netip.Addr) netip.Addr { return a.WithZone("").Unmap() }

// A hostname is a name in lower case without its trailing dot, or an address.
type hostname struct {
	name string
	addr netip.Addr
}

// A hostHeader is a parsed Host header.
type hostHeader struct {
	hostname
	port bool // there is one
}

// parse parses a Host header: a name, an IPv4 address or an IPv6 address in brackets, and an
// optional port. Other forms of an IPv4 address, such as one number, are names: browsers send the
// usual form.
func parse(text string) (at hostHeader, ok bool) {
	var rest string
	if inner, v6 := strings.CutPrefix(text, "["); v6 {
		inner, rest, ok = strings.Cut(inner, "]")
		a, err := netip.ParseAddr(inner)
		if !ok || err != nil || !a.Is6() || rest != "" && rest[0] != ':' {
			return hostHeader{}, false
		}
		at.addr = unmapped(a)
	} else {
		var name string
		name, _, _ = strings.Cut(text, ":")
		rest = text[len(name):]
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if !isName(name) {
			return hostHeader{}, false
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
			return hostHeader{}, false
		}
	}
	return at, true
}

// isName reports whether name can be a host name: labels of letters, digits, "-" and "_", between
// dots.
func isName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// withBrackets returns a name or an address in the form of a Host header.
func withBrackets(text string) string {
	if a, err := netip.ParseAddr(text); err == nil && a.Is6() {
		return "[" + text + "]"
	}
	return text
}
