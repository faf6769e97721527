package app_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"carillon/internal/app"
	"carillon/internal/memnet"
	"carillon/internal/sidecar"
)

func TestSidecarNodeServesAPIAndMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, metrics := memnet.Listen(), memnet.Listen()
		refused := func(context.Context, string) (net.Conn, error) { return nil, errors.New("connection refused") }
		cfg := app.SidecarConfig{
			Sidecar: sidecar.Config{
				Apps: []sidecar.App{{ID: "sub"}}, Namespace: "default", Schedulers: []string{"scheduler:50006"}, NoPings: true,
			},
			Dialers: sidecar.Dialers{Scheduler: refused},
		}
		l := app.SidecarListeners{
			Listeners: sidecar.Listeners{HTTP: []net.Listener{api}, GRPC: []net.Listener{memnet.Listen()}}, Metrics: metrics,
		}
		node, err := app.OpenSidecar(cfg, l, slog.New(slog.NewTextHandler(t.Output(), nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- node.Run(ctx) }()
		synctest.Wait()
		status, body := get(t, api, "/v1.0/healthz")
		if status != http.StatusInternalServerError || !strings.Contains(body, "dapr is not ready: [scheduler-watch-hosts]") {
			t.Errorf("health without its scheduler: %d %q", status, body)
		}
		if status, body := get(t, metrics, "/metrics"); status != http.StatusOK || !strings.Contains(body, "\ngo_goroutines ") {
			t.Errorf("metrics: %d %.200s", status, body)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		synctest.Wait()
	})
}

func TestFailedOpenClosesSidecarListeners(t *testing.T) {
	all := []*memnet.Listener{memnet.Listen(), memnet.Listen(), memnet.Listen(), memnet.Listen()}
	l := app.SidecarListeners{Listeners: sidecar.Listeners{
		HTTP: []net.Listener{all[0]}, GRPC: []net.Listener{all[1]}, Public: []net.Listener{all[2]},
	}, Metrics: all[3]}
	if _, err := app.OpenSidecar(app.SidecarConfig{}, l, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("it opened without an app")
	}
	for i, l := range all {
		if _, err := l.Accept(); err == nil {
			t.Errorf("listener %d is open", i)
		}
	}
}
