package sidecar_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"carillon/internal/memnet"
	"carillon/internal/sidecar"
)

// A network is in memory, with listeners by address.
type network struct {
	mu        sync.Mutex // guards the field below
	listeners map[string]*memnet.Listener
}

func (n *network) listen(address string) *memnet.Listener {
	l := memnet.Listen()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners == nil {
		n.listeners = make(map[string]*memnet.Listener)
	}
	n.listeners[address] = l
	return l
}

func (n *network) close(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.listeners, address)
}

func (n *network) dial(ctx context.Context, address string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[address]
	n.mu.Unlock()
	if l == nil {
		return nil, errors.New("connection refused")
	}
	return l.DialContext(ctx)
}

// dialAny returns a dialer for HTTP clients: it ignores the address of the URL.
func (n *network) dialAny(address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) { return n.dial(ctx, address) }
}

// A fixture is a sidecar of the app "sub" on a network with a scheduler.
type fixture struct {
	*network
	t         *testing.T
	scheduler *scheduler
	dialer    sidecar.Dialer // to schedulers; the network's if nil
	appDialer sidecar.Dialer // to apps; the network's if nil
	pings     bool           // pings are enabled
	loopback  bool           // only this host can reach the HTTP listeners
	log       *slog.Logger   // the test's if nil
	stop      func()         // stops the sidecar and waits for it
}

const (
	schedulerAddress = "scheduler:50006"
	apiAddress       = "sidecar:3500"
	publicAddress    = "sidecar:3501"
)

// bubble runs a test in fake time.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// start runs a scheduler and a sidecar, and waits until they are idle.
func start(t *testing.T, cfg sidecar.Config) *fixture {
	t.Helper()
	n := new(network)
	f := &fixture{network: n, t: t, scheduler: newScheduler(t, n, schedulerAddress, schedulerAddress)}
	if cfg.Schedulers == nil {
		cfg.Schedulers = []string{schedulerAddress}
	}
	f.run(cfg)
	return f
}

// run runs a sidecar on f's network.
func (f *fixture) run(cfg sidecar.Config) {
	f.t.Helper()
	if cfg.Apps == nil {
		cfg.Apps = []sidecar.App{{ID: "sub"}}
	}
	if cfg.Namespace == "" {
		cfg.Namespace = "default"
	}
	cfg.NoPings = !f.pings
	if f.dialer == nil {
		f.dialer = f.dial
	}
	if f.appDialer == nil {
		f.appDialer = f.dial
	}
	if f.log == nil {
		f.log = slog.New(slog.NewTextHandler(f.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	s, err := sidecar.New(cfg, sidecar.Dialers{Scheduler: f.dialer, App: f.appDialer}, f.log)
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	ended := make(chan error, 1)
	l := sidecar.Listeners{
		HTTP:   []net.Listener{f.listen(apiAddress)},
		GRPC:   []net.Listener{f.listen("sidecar:50001")},
		Public: []net.Listener{f.listen(publicAddress)},
	}
	if f.loopback {
		l.HTTP[0], l.Public[0] = loopback{l.HTTP[0]}, loopback{l.Public[0]}
	}
	go func() { ended <- s.Run(ctx, l) }()
	f.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			f.t.Errorf("Run = %v, want nil", err)
		}
	})
	f.t.Cleanup(f.stop)
	synctest.Wait()
}

// loopback is a listener that only this host can reach.
type loopback struct{ net.Listener }

// Addr implements [net.Listener].
func (loopback) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv6loopback, Port: 3500} }

// Accept implements [net.Listener].
func (l loopback) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return loopbackConn{c}, err
}

// A loopbackConn is a connection from this host.
type loopbackConn struct{ net.Conn }

// LocalAddr implements [net.Conn].
func (loopbackConn) LocalAddr() net.Addr { return loopback{}.Addr() }

// An answer is a response of the HTTP API.
type answer struct {
	code   int
	header http.Header
	body   string
}

// send writes an HTTP/1.1 request byte for byte, with headers of the form "name: value", and
// returns the answer.
func (f *fixture) send(method, path, body string, headers ...string) answer {
	f.t.Helper()
	var b strings.Builder
	b.WriteString(method + " " + path + " HTTP/1.1\r\nHost: localhost:3500\r\nConnection: close\r\n")
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	if method == http.MethodPost || method == http.MethodPut {
		b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	b.WriteString("\r\n" + body)
	return f.sendRaw(method, b.String())
}

func (f *fixture) sendRaw(method, request string) answer {
	f.t.Helper()
	return f.sendTo(apiAddress, method, request)
}

func (f *fixture) sendTo(address, method, request string) answer {
	f.t.Helper()
	conn, err := f.dial(f.t.Context(), address)
	if err != nil {
		f.t.Fatal(err)
	}
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, request) }()
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		f.t.Fatalf("%s: %v", request[:min(len(request), 200)], err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer{code: res.StatusCode, header: res.Header, body: string(got)}
}

// grpc connects to the gRPC API.
func (f *fixture) grpc() *grpc.ClientConn {
	f.t.Helper()
	conn, err := grpc.NewClient("passthrough:///sidecar:50001",
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(f.dial))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { conn.Close() })
	return conn
}
