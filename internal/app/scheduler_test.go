package app_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/app"
	"carillon/internal/memnet"
	"carillon/internal/scheduler"
	"carillon/internal/store/pebblestore"
)

// get returns the answer to a request over l.
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

func TestASchedulerNodeShowsHowItIs(t *testing.T) {
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

func TestASchedulerNodeThatCannotOpenItsStoreClosesItsListeners(t *testing.T) {
	l := memnet.Listen()
	all := app.SchedulerListeners{Scheduler: l, Health: memnet.Listen()}
	if _, err := app.OpenScheduler(app.Config{}, all, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("it opened without a folder")
	}
	if _, err := l.Accept(); err == nil {
		t.Error("its listener is open")
	}
}
