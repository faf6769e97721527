package app_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/app"
	"carillon/internal/logtest"
	"carillon/internal/memnet"
	"carillon/internal/scheduler"
	"carillon/internal/store/pebblestore"
)

// get makes a request over l and returns its response.
func get(t *testing.T, l *memnet.Listener, path string) (status int, body string) {
	t.Helper()
	transport := &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return l.DialContext(ctx) },
		DisableKeepAlives: true,
	}
	resp, err := (&http.Client{Transport: transport}).Get("http://node" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestSchedulerNodeServesHealthAndMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		healthz, metrics := memnet.Listen(), memnet.Listen()
		cfg := app.Config{
			Store:     pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true},
			Scheduler: scheduler.Config{Hosts: []string{"here:1"}},
		}
		log := slog.New(slog.NewTextHandler(t.Output(), nil))
		node, err := app.OpenScheduler(cfg, app.SchedulerListeners{Scheduler: memnet.Listen(), Health: healthz, Metrics: metrics}, log)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- node.Run(ctx) }()
		synctest.Wait()
		if status, body := get(t, healthz, "/healthz"); status != http.StatusOK || body != "" {
			t.Errorf("health: %d %q, want 200 and nothing else", status, body)
		}
		for _, path := range []string{"/", "/metrics", "/a/b"} {
			status, body := get(t, metrics, path)
			if status != http.StatusOK || !strings.Contains(body, "\ngo_goroutines ") {
				t.Errorf("metrics at %s: %d %.200s", path, status, body)
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		synctest.Wait()
	})
}

// port is an in-memory listener with the address of a TCP port.
type port struct{ *memnet.Listener }

func (port) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 50006} }

// slowly is a log handler that takes ten seconds for each line about a listening address.
type slowly struct{ slog.Handler }

func (h slowly) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "listening") {
		time.Sleep(10 * time.Second)
	}
	return h.Handler.Handle(ctx, r)
}

func (h slowly) WithAttrs(attrs []slog.Attr) slog.Handler {
	return slowly{h.Handler.WithAttrs(attrs)}
}

func TestListeningIsLoggedBeforeReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said logtest.Page
		log := slog.New(slowly{slog.NewTextHandler(&said, nil)})
		node, err := app.OpenScheduler(app.Config{
			Store:       pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true},
			Scheduler:   scheduler.Config{Hosts: []string{"here:1"}},
			OnListening: func(ctx context.Context) { log.InfoContext(ctx, "listening") },
		}, app.SchedulerListeners{Scheduler: port{memnet.Listen()}, Health: memnet.Listen()}, log)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- node.Run(ctx) }()
		time.Sleep(time.Minute)
		var lines []string
		for _, m := range regexp.MustCompile(`msg="?(listening|Dapr Scheduler [^"]+)`).FindAllStringSubmatch(said.String(), -1) {
			lines = append(lines, m[1])
		}
		want := []string{"listening", "Dapr Scheduler listening on: 127.0.0.1:50006", "Dapr Scheduler api is ready"}
		if !slices.Equal(lines, want) {
			t.Errorf("it says %q, want %q", lines, want)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		synctest.Wait()
	})
}

func TestFailedOpenClosesSchedulerListeners(t *testing.T) {
	l := memnet.Listen()
	all := app.SchedulerListeners{Scheduler: l, Health: memnet.Listen()}
	if _, err := app.OpenScheduler(app.Config{}, all, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("it opened without a folder")
	}
	if _, err := l.Accept(); err == nil {
		t.Error("its listener is open")
	}
}
