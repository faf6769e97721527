package app_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"carillon/internal/app"
	"carillon/internal/memnet"
	"carillon/internal/scheduler"
	"carillon/internal/sidecar"
	"carillon/internal/store/pebblestore"
)

// stopTime is how long a node may take to stop: a second less than the default of a sidecar's
// --dapr-graceful-shutdown-seconds.
const stopTime = 4 * time.Second

// guest opens a connection that is open when the node stops, and returns its closer.
type guest func(t *testing.T, l *memnet.Listener) io.Closer

// says returns a guest that writes some bytes and then waits.
func says(text string) guest {
	return func(t *testing.T, l *memnet.Listener) io.Closer {
		c, err := l.DialContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.WriteString(c, text) }() // the node need not read it
		return c
	}
}

// idles is a guest that keeps an HTTP/1.1 connection open after a response.
func idles(t *testing.T, l *memnet.Listener) io.Closer {
	c := says("GET /v1.0/healthz HTTP/1.1\r\nHost: node\r\n\r\n")(t, l).(net.Conn)
	_ = c.SetReadDeadline(time.Now().Add(time.Second)) // where gRPC is spoken there is no answer
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	return c
}

// calls returns a guest whose call sends headers only.
func calls(method string) guest {
	return func(t *testing.T, l *memnet.Listener) io.Closer {
		conn, err := grpc.NewClient("passthrough:///node", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		go func() {
			defer cancel()
			s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
			if err == nil {
				_ = s.RecvMsg(nil)
			}
		}()
		return conn
	}
}

func guests() map[string]guest {
	return map[string]guest{
		"a connection that says nothing": says(""),
		"part of the preface of HTTP/2":  says("PRI * HTTP/2.0\r\n"),
		"the preface of HTTP/2 alone":    says("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
		"part of a TLS handshake":        says("\x16\x03\x01\x02\x00\x01"),
		"part of a header of HTTP/1.1":   says("POST /v1/jobs/batch HTTP/1.1\r\nHo"),
		"part of a body of HTTP/1.1":     says("POST /v1/jobs/batch HTTP/1.1\r\nHost: node\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100\r\n\r\n{"),
		"an idle connection of HTTP/1.1": idles,
		"a call of a scheduler":          calls("/dapr.proto.scheduler.v1.Scheduler/ScheduleJob"),
		"a stream of triggers":           calls("/dapr.proto.scheduler.v1.Scheduler/WatchJobs"),
		"a stream of hosts":              calls("/dapr.proto.scheduler.v1.Scheduler/WatchHosts"),
		"a stream of jobs":               calls("/carillon.v1.Bulk/Schedule"),
		"a call of a sidecar":            calls("/dapr.proto.runtime.v1.Dapr/ScheduleJobAlpha1"),
		"a stream of a sidecar":          calls("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
		"a call of what is not there":    calls("/no.Such/Thing"),
	}
}

// role opens a node and returns its listeners by name.
type role func(t *testing.T) (*app.Node, map[string]*memnet.Listener)

func opened(t *testing.T, node *app.Node, err error) *app.Node {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return node
}

func roles() map[string]role {
	stored := func() app.Config {
		return app.Config{
			Store:     pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true},
			Scheduler: scheduler.Config{Hosts: []string{"here:1"}},
		}
	}
	jobs := sidecar.Config{Apps: []sidecar.App{{ID: "sub", Address: "app:80"}}, Namespace: "default", Schedulers: []string{"scheduler:50006"}}
	refused := func(context.Context, string) (net.Conn, error) { return nil, errors.New("connection refused") }
	return map[string]role{
		"scheduler": func(t *testing.T) (*app.Node, map[string]*memnet.Listener) {
			p := ports("scheduler", "health", "metrics")
			node, err := app.OpenScheduler(stored(), app.SchedulerListeners{Scheduler: p["scheduler"], Health: p["health"], Metrics: p["metrics"]}, slog.New(slog.NewTextHandler(t.Output(), nil)))
			return opened(t, node, err), p
		},
		"sidecar": func(t *testing.T) (*app.Node, map[string]*memnet.Listener) {
			p := ports("HTTP", "gRPC", "public", "internal", "metrics")
			cfg := app.SidecarConfig{Sidecar: jobs, Dialers: sidecar.Dialers{Scheduler: refused, App: refused}}
			node, err := app.OpenSidecar(cfg, app.SidecarListeners{Listeners: sidecar.Listeners{
				HTTP: []net.Listener{p["HTTP"]}, GRPC: []net.Listener{p["gRPC"]}, Public: []net.Listener{p["public"]}, Internal: []net.Listener{p["internal"]},
			}, Metrics: p["metrics"]}, slog.New(slog.NewTextHandler(t.Output(), nil)))
			return opened(t, node, err), p
		},
		"all in one": func(t *testing.T) (*app.Node, map[string]*memnet.Listener) {
			p := ports("HTTP", "gRPC", "scheduler")
			node, err := app.OpenAllInOne(app.AllInOneConfig{Config: stored(), Sidecar: jobs},
				app.AllInOneListeners{HTTP: []net.Listener{p["HTTP"]}, GRPC: []net.Listener{p["gRPC"]}, Scheduler: []net.Listener{p["scheduler"]}}, refused, slog.New(slog.NewTextHandler(t.Output(), nil)))
			return opened(t, node, err), p
		},
	}
}

func ports(names ...string) map[string]*memnet.Listener {
	all := map[string]*memnet.Listener{}
	for _, n := range names {
		all[n] = memnet.Listen()
	}
	return all
}

func TestOpenConnectionsDoNotDelayStop(t *testing.T) {
	for name, open := range roles() {
		for what, visit := range guests() {
			for _, port := range portsOf(t, open) {
				t.Run(name+"/"+port+"/"+what, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						node, all := open(t)
						ctx, stop := context.WithCancel(t.Context())
						defer stop()
						ended := make(chan error, 1)
						go func() { ended <- node.Run(ctx) }()
						synctest.Wait()
						g := visit(t, all[port])
						defer g.Close()
						synctest.Wait()
						began := time.Now()
						stop()
						select {
						case err := <-ended:
							if took := time.Since(began); err != nil || took > stopTime {
								t.Errorf("it stopped after %v: %v; want nil within %v", took, err, stopTime)
							}
						case <-time.After(10 * time.Minute):
							t.Error("it does not stop")
							g.Close()
							t.Logf("closed, it ended with %v", <-ended)
						}
					})
				})
			}
		}
	}
}

// portsOf returns the names of the listeners of a role.
func portsOf(t *testing.T, open role) (names []string) {
	synctest.Test(t, func(t *testing.T) {
		node, all := open(t)
		for n := range all {
			names = append(names, n)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := node.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return names
}
