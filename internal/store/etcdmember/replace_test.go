package etcdmember

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
)

// A group is what a member of etcd says about its cluster, whose first member leads.
type group struct {
	etcdserverpb.UnimplementedClusterServer
	etcdserverpb.UnimplementedMaintenanceServer

	members []*etcdserverpb.Member
	done    []string // what has changed
	refuses int      // how often it adds no member at first
	broken  error    // how it answers to that then
}

func (g *group) MemberList(context.Context, *etcdserverpb.MemberListRequest) (*etcdserverpb.MemberListResponse, error) {
	return &etcdserverpb.MemberListResponse{Members: g.members}, nil
}

func (g *group) MemberRemove(_ context.Context, r *etcdserverpb.MemberRemoveRequest) (*etcdserverpb.MemberRemoveResponse, error) {
	for _, m := range g.members {
		if m.ID == r.ID {
			g.done = append(g.done, "remove "+m.Name)
		}
	}
	return new(etcdserverpb.MemberRemoveResponse), nil
}

func (g *group) MemberAdd(_ context.Context, r *etcdserverpb.MemberAddRequest) (*etcdserverpb.MemberAddResponse, error) {
	if g.refuses--; g.refuses >= 0 {
		return nil, g.broken
	}
	g.done = append(g.done, "add at "+strings.Join(r.PeerURLs, ","))
	return &etcdserverpb.MemberAddResponse{Member: new(etcdserverpb.Member)}, nil
}

func (g *group) Status(context.Context, *etcdserverpb.StatusRequest) (*etcdserverpb.StatusResponse, error) {
	return &etcdserverpb.StatusResponse{Leader: g.members[0].ID}, nil
}

// A counting listener knows how many of its connections are open.
type counting struct {
	net.Listener
	open atomic.Int64
}

func (l *counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &countedConn{Conn: c, of: l}, nil
}

type countedConn struct {
	net.Conn
	of   *counting
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.of.open.Add(-1) })
	return c.Conn.Close()
}

// wantNone checks that clients have closed all of their connections, or do soon.
func (l *counting) wantNone(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); l.open.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are left open", l.open.Load())
		}
	}
}

// serve has clients ask g, and returns where.
func (g *group) serve(t *testing.T) (endpoint string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counted := &counting{Listener: l}
	server := grpc.NewServer()
	etcdserverpb.RegisterClusterServer(server, g)
	etcdserverpb.RegisterMaintenanceServer(server, g)
	served := make(chan error, 1)
	go func() { served <- server.Serve(counted) }()
	t.Cleanup(func() {
		counted.wantNone(t)
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// peer serves what a member tells other members, who they are, and returns where.
func peer(t *testing.T, code int, members ...peerMember) (at string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/members" {
			code = http.StatusNotFound
		}
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(members)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// gone returns an address at which nobody listens.
func gone(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	return s.URL
}

func TestMembersShowLeaderAndHealth(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	none := gone(t)
	sick := peer(t, http.StatusServiceUnavailable)
	g := &group{members: []*etcdserverpb.Member{
		{ID: 3, Name: "c", PeerURLs: []string{peer(t, http.StatusOK)}},
		{ID: 1, Name: "b", PeerURLs: []string{none}},
		{ID: 2, Name: "a", PeerURLs: []string{secure.URL}},
		{ID: 4, Name: "d", PeerURLs: []string{sick}},
		{ID: 5, Name: "e", PeerURLs: []string{"https" + strings.TrimPrefix(none, "http")}},
	}}
	all, err := Members(t.Context(), g.serve(t))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
		if s.Leader != (s.Name == "c") {
			t.Errorf("%s leads: %v", s.Name, s.Leader)
		}
		want := map[string]string{"a": "yes", "b": "connection refused", "c": "yes", "d": "503", "e": "connection refused"}[s.Name]
		if !strings.Contains(s.Answer, want) {
			t.Errorf("whether %s answers: %q, want %q", s.Name, s.Answer, want)
		}
		if len(s.Peers) != 1 {
			t.Errorf("%s is found by the others at %v", s.Name, s.Peers)
		}
	}
	if want := []string{"a", "b", "c", "d", "e"}; !slices.Equal(names, want) {
		t.Errorf("the members are %q, want %q", names, want)
	}
}

func TestOnlyLostMemberIsReplaced(t *testing.T) {
	none := gone(t)
	for _, c := range []struct {
		name    string
		refuses int
		broken  error
		most    time.Duration // 0 is a minute
		want    []string
		err     string
	}{
		{name: "lost", want: []string{"remove lost", "add at " + none}},
		{name: "lost", refuses: 1, broken: rpctypes.ErrGRPCUnhealthy, want: []string{"remove lost", "add at " + none}},
		{name: "lost", refuses: 9, broken: rpctypes.ErrGRPCMemberExist, want: []string{"remove lost"}, err: `the member "lost" was removed, but its replacement at ` + none},
		{name: "well", err: `the member "well" is running at`},
		{name: "nobody", err: `no member has the name "nobody": the members are ["lost" "well"]`},
		{name: "lost", refuses: 1 << 30, broken: rpctypes.ErrGRPCUnhealthy, most: time.Second, want: []string{"remove lost"}, err: `the member "lost" was removed, but its replacement at ` + none},
	} {
		g := &group{refuses: c.refuses, broken: c.broken, members: []*etcdserverpb.Member{
			{ID: 1, Name: "well", PeerURLs: []string{peer(t, http.StatusOK)}},
			{ID: 2, Name: "lost", PeerURLs: []string{none}},
		}}
		ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(c.most, time.Minute))
		err := Replace(ctx, g.serve(t), c.name)
		cancel()
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("Replace %q = %v, want %q", c.name, err, c.err)
		}
		if diff := gocmp.Diff(c.want, g.done); diff != "" {
			t.Errorf("to replace %q (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestReplacementMemberJoinsEmpty(t *testing.T) {
	const own = "http://10.0.0.3:2380"
	for _, c := range []struct {
		name  string
		peers []string
		full  bool
		want  bool
	}{
		{name: "it is expected", peers: []string{peer(t, http.StatusOK, peerMember{Name: "b"}, peerMember{URLs: []string{own}})}, want: true},
		{name: "the second says so", peers: []string{gone(t), peer(t, http.StatusOK, peerMember{URLs: []string{own}})}, want: true},
		{name: "it is known", peers: []string{peer(t, http.StatusOK, peerMember{Name: "c", URLs: []string{own}})}},
		{name: "another is expected", peers: []string{peer(t, http.StatusOK, peerMember{URLs: []string{"http://10.0.0.4:2380"}})}},
		{name: "nobody is there", peers: []string{gone(t)}},
		{name: "the other is sick", peers: []string{peer(t, http.StatusServiceUnavailable, peerMember{URLs: []string{own}})}},
		{name: "it has data", peers: []string{peer(t, http.StatusOK, peerMember{URLs: []string{own}})}, full: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Config{Name: "c", Dir: t.TempDir(), Peers: map[string]string{"c": own}}
			for i, p := range c.peers {
				cfg.Peers[string(rune('x'+i))] = p
			}
			log := filepath.Join(cfg.Dir, "member", "wal")
			if err := os.MkdirAll(log, 0o700); err != nil {
				t.Fatal(err)
			}
			if c.full {
				if err := os.WriteFile(filepath.Join(log, "0.wal"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := cfg.isExpected(t.Context()); got != c.want {
				t.Errorf("a member joins: %v, want %v", got, c.want)
			}
		})
	}
}

func TestMemberListComesFromOthers(t *testing.T) {
	var own string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode([]peerMember{{URLs: []string{own}}})
	}))
	defer s.Close()
	own = s.URL
	if cfg := (Config{Name: "c", Dir: t.TempDir(), Peers: map[string]string{"c": own}}); cfg.isExpected(t.Context()) {
		t.Error("a member takes its own word for that of the others")
	}
}

func TestMemberListUsesTLS(t *testing.T) {
	files := certificate(t, net.IPv4(127, 0, 0, 1))
	own, err := files.client()
	if err != nil {
		t.Fatal(err)
	}
	const at = "https://127.0.0.1:1"
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counted := &counting{Listener: l}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode([]peerMember{{URLs: []string{at}}})
	}))
	s.Listener.Close()
	s.Listener = counted
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: own.Certificates, ClientCAs: own.RootCAs, ClientAuth: tls.RequireAndVerifyClientCert}
	s.StartTLS()
	defer s.Close()
	cfg := Config{Name: "c", Dir: t.TempDir(), Peers: map[string]string{"c": at, "other": s.URL}, TLS: &files}
	if !cfg.isExpected(t.Context()) {
		t.Error("a member with certificates does not hear that it is expected")
	}
	counted.wantNone(t)
	cfg.TLS = &TLS{CertFile: "none"}
	if cfg.isExpected(t.Context()) {
		t.Error("a member without its certificate is expected")
	}
}

// A body notes whether it was closed.
type body struct {
	io.Reader
	closed bool
}

func (b *body) Close() error { b.closed = true; return nil }

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestPeerResponseIsReadAndClosed(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer io.Reader
		code   int
		want   string // the error
	}{
		{"members", bytes.NewReader([]byte(`[{"name":"a","peerURLs":["http://a"]}] more`)), http.StatusOK, ""},
		{"refused", bytes.NewReader(nil), http.StatusNotFound, "http://peer: 404 Not Found"},
		{"half of it", bytes.NewReader([]byte(`[{"name`)), http.StatusOK, "http://peer: unexpected EOF"},
		{"broken", iotest.ErrReader(errors.New("broken")), http.StatusOK, "http://peer: broken"},
	} {
		b := &body{Reader: c.answer}
		client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.String() != "http://peer/members" {
				t.Errorf("it asks for %s", r.URL)
			}
			if by, ok := r.Context().Deadline(); !ok || time.Until(by) > time.Second {
				t.Errorf("it waits until %v", by)
			}
			return &http.Response{StatusCode: c.code, Status: "404 Not Found", Body: b}, nil
		})}
		all, err := membersOf(t.Context(), client, "http://peer")
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want || !b.closed || c.want == "" && gocmp.Diff([]peerMember{{"a", []string{"http://a"}}}, all) != "" {
			t.Errorf("%s: known = %v, %v, and the answer is closed: %v", c.name, all, err, b.closed)
		}
	}
	if _, err := membersOf(t.Context(), http.DefaultClient, "http://a b"); err == nil {
		t.Error("a peer whose address is none is known")
	}
}

func TestEndpointMayOmitScheme(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, endpoint := range []string{"http://127.0.0.1:" + port, "https://127.0.0.1:" + port, "127.0.0.1:" + port, "localhost:" + port} {
		if err := Reach(t.Context(), endpoint); err != nil {
			t.Errorf("Reach(%q) = %v", endpoint, err)
		}
	}
	if err := Reach(t.Context(), "127.0.0.1"); err == nil || !strings.HasPrefix(err.Error(), "connect to etcd at 127.0.0.1: ") {
		t.Errorf("without a port: %v", err)
	}
}
