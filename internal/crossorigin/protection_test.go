package crossorigin_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"carillon/internal/crossorigin"
)

// ask returns why a request to an address is refused.
func ask(t *testing.T, g *crossorigin.Protection, to net.IP, host string, headers ...string) string {
	t.Helper()
	ctx := context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: to, Port: 3500}))
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
	r.Host = host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return g.Refuse(r)
}

// exact are Host headers that name this host, and other are headers that do not, or may not.
var (
	exact = []string{
		"localhost", "localhost:3500", "localhost:", "LocalHost:1", "localhost.", "LOCALHOST.:65535",
		"127.0.0.1", "127.0.0.1:80", "127.0.0.1.", "127.255.255.254:3500",
		"[::1]", "[::1]:3500", "[0:0:0:0:0:0:0:1]:3500", "[::1%lo]:3500", "[::1%25lo0]", "[::ffff:127.0.0.1]:3500", "[::FFFF:7F00:1]",
		"0.0.0.0:3500", "[::]:3500",
	}
	other = []string{
		":3500", ".", "..", "evil.example", "evil.example:3500",
		"mac.local", "x.local:3500", "local", "app.localhost:3500", "x.internal", "host.docker.internal:3500", "x.test", "sidecar", "sidecar:3500",
		"localhost.evil.example", "127.0.0.1.evil.example", "evil.example.localhost", "localhost..", "localhost..:3500", "xlocalhost", "localhost.local",
		"localhost:evil", "localhost:65536", "localhost:-1", "localhost:80:80", "localhost@evil.example", "evil.example@localhost", "localhost/", "localhost ", "local\u212Aost", "l\u043ecalhost",
		"2130706433", "2130706433:3500", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "127.0.1", "127.0.0.01", "127.0.0.1.1",
		"10.0.0.1:3500", "[fe80::1]:3500", "[2001:db8::1]",
		"::1", "::1:3500", "[::1", "::1]", "[[::1]]", "[::1]x", "[::1]:x", "[127.0.0.1]:3500", "[localhost]", "[]", "[%lo]",
	}
)

func TestLoopbackAcceptsOnlyExactHosts(t *testing.T) {
	g := crossorigin.New(crossorigin.Hosts{})
	for _, host := range exact {
		if why := ask(t, g, net.IPv4(127, 0, 0, 1), host); why != "" {
			t.Errorf("%q: %s", host, why)
		}
	}
	for _, host := range other {
		for _, to := range []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(127, 9, 9, 9), net.IPv6loopback} {
			if why := ask(t, g, to, host); !strings.Contains(why, "--allowed-hosts") {
				t.Errorf("%q at %v: %q, want a refusal that names --allowed-hosts", host, to, why)
			}
		}
	}
}

func TestRefusalNamesOnlyWhatHelps(t *testing.T) {
	for want, g := range map[string]*crossorigin.Protection{
		`the host "x" is not a name of this server: call it by localhost or its address, or allow the name with --allowed-hosts`: crossorigin.New(crossorigin.Hosts{}),
		`the host "x" is not a name of this server: call it by localhost or its address, allow the name with --allowed-hosts, ` +
			`or require a token by setting DAPR_API_TOKEN`: crossorigin.NewUnlessToken(crossorigin.Hosts{}, "DAPR_API_TOKEN"),
	} {
		if why := ask(t, g, net.IPv6loopback, "x"); why != want {
			t.Errorf("refused with %q, want %q", why, want)
		}
	}
}

func TestRefusalTruncatesHost(t *testing.T) {
	if why := ask(t, crossorigin.New(crossorigin.Hosts{}), net.IPv6loopback, strings.Repeat("\u0001", 4000)); len(why) > 1000 {
		t.Errorf("it has %d bytes", len(why))
	}
}

func TestAllowedHostsAreMatchedExactly(t *testing.T) {
	h := crossorigin.Hosts{Own: []string{"this.example"}, Allowed: []string{"Sidecar.Example.", "10.0.0.1", "fe80::1"}}
	if err := h.Check(); err != nil {
		t.Fatal(err)
	}
	g := crossorigin.New(h)
	for host, want := range map[string]bool{
		"this.example:3500": true, "sidecar.example": true, "SIDECAR.example.:80": true, "10.0.0.1:3500": true, "[fe80::1%eth0]:3500": true, "localhost": true,
		"a.sidecar.example": false, "example": false, "mac.local": false, "10.0.0.2": false, "[fe80::2]": false,
	} {
		for _, to := range []net.IP{net.IPv6loopback, net.IPv4(192, 0, 2, 1)} {
			if why := ask(t, g, to, host); (why == "") != want {
				t.Errorf("%q at %v: %q, want accepted: %v", host, to, why, want)
			}
		}
	}
}

func TestInvalidHostCannotBeAllowed(t *testing.T) {
	for _, text := range []string{"", "*", "*.local", ".local", "sidecar:3500", "10.0.0.1:3500", "http://sidecar", "[::1]:3500", "a b", "a/b"} {
		err := crossorigin.Hosts{Allowed: []string{"sidecar", text}}.Check()
		if err == nil || !strings.Contains(err.Error(), "without a port or a wildcard") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"sidecar", "my_app.svc", "10.0.0.1", "::1", "[::1]", "A.B."} {
		if err := (crossorigin.Hosts{Allowed: []string{text}}).Check(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Other hosts call a server by names that it does not know. A page in a browser sends its origin.
func TestOverNetworkOnlyPagesNeedKnownHost(t *testing.T) {
	g, own := crossorigin.New(crossorigin.Hosts{}), net.IPv4(192, 0, 2, 1)
	for _, host := range []string{"sidecar:3500", "app.default.svc.cluster.local", "192.0.2.1:3500", "evil.example", "localhost"} {
		if why := ask(t, g, own, host); why != "" {
			t.Errorf("%q: %s", host, why)
		}
		known := host == "192.0.2.1:3500" || host == "localhost"
		if why := ask(t, g, own, host, "Origin", "http://"+host); (why == "") != known {
			t.Errorf("%q from a page of that name: %q, want accepted: %v", host, why, known)
		}
	}
}

// A page sends its origin with a request that changes something.
func TestCrossOriginPageChangesNothing(t *testing.T) {
	g := crossorigin.New(crossorigin.Hosts{})
	for _, c := range []struct {
		name, value string
		refused     bool
	}{
		{"Origin", "http://evil.example", true},
		{"Origin", "null", true},
		{"Origin", "http://localhost:8080", true},
		{"Origin", "http://localhost.:3500", true},
		{"Origin", "http://[::1]:3500", true},
		{"Origin", "http://2130706433:3500", true},
		{"Origin", "http://localhost:3500", false},
		{"Sec-Fetch-Site", "cross-site", true},
		{"Sec-Fetch-Site", "same-site", true},
		{"Sec-Fetch-Site", "same-origin", false},
		{"Sec-Fetch-Site", "none", false},
		{"X-Nothing", "", false},
	} {
		ctx := context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.IPv6loopback}))
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", http.NoBody)
		r.Host = "localhost:3500"
		r.Header.Set(c.name, c.value)
		w := httptest.NewRecorder()
		reached := false
		g.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })).ServeHTTP(w, r)
		if reached == c.refused || (w.Code == http.StatusForbidden) != c.refused {
			t.Errorf("%s: %s = %d, want refused: %v", c.name, c.value, w.Code, c.refused)
		}
	}
}
