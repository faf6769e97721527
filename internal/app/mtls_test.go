package app_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/grpc/test/bufconn"

	"carillon/internal/app"
	"carillon/internal/identity"
	"carillon/internal/identity/identitytest"
	"carillon/internal/memnet"
	"carillon/internal/scheduler"
	"carillon/internal/sidecar"
	"carillon/internal/store/pebblestore"
)

// TestCertificateRenewalInterruptsNoTrigger runs a scheduler and a sidecar for an hour, with certificates
// that last for ten minutes.
func TestCertificateRenewalInterruptsNoTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.NewTextHandler(t.Output(), nil))
		ca, ask := identitytest.NewAuthority(t), bufconn.Listen(64<<10)
		sentry := ca.Serve(t, ask, "spiffe://localhost/ns/default/dapr-sentry", 10*time.Minute)
		who := func(domain, app string) *identity.Source {
			id, err := identity.ID("localhost", "default", "dapr-sentry")
			if err != nil {
				t.Fatal(err)
			}
			s, err := identity.OpenSentry(identity.Sentry{
				Address: "sentry:443", ID: id, Anchors: ca.PEM(), Namespace: "default", App: app, Domain: domain,
				Dial: func(ctx context.Context, _ string) (net.Conn, error) { return ask.DialContext(ctx) },
			}, log)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		run := func(node *app.Node, err error) (stop func()) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- node.Run(ctx) }()
			return func() {
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}
		}

		l, healthz := bufconn.Listen(64<<10), memnet.Listen()
		cfg := app.Config{
			Store:     pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true},
			Scheduler: scheduler.Config{Hosts: []string{"scheduler:1"}, Identity: who("localhost", "dapr-scheduler")},
		}
		stopScheduler := run(app.OpenScheduler(cfg, app.SchedulerListeners{Scheduler: l, Health: healthz}, log))
		receiver := newRecorder()
		defer receiver.Close()
		api, own := memnet.Listen(), who("public", "sub")
		id, err := identity.ID("localhost", "default", "dapr-scheduler")
		if err != nil {
			t.Fatal(err)
		}
		stopSidecar := run(app.OpenSidecar(app.SidecarConfig{
			Identity: own,
			Sidecar: sidecar.Config{
				Apps: []sidecar.App{{ID: "sub", Address: "app:80"}}, Namespace: "default", Schedulers: []string{"scheduler:1"},
				NoPings: true, Credentials: own.Client(id),
			},
			Dialers: sidecar.Dialers{
				Scheduler: func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) },
				App:       func(ctx context.Context, _ string) (net.Conn, error) { return receiver.listener.DialContext(ctx) },
			},
		}, app.SidecarListeners{Listeners: sidecar.Listeners{HTTP: []net.Listener{api}, GRPC: []net.Listener{memnet.Listen()}}}, log))
		time.Sleep(5 * time.Second) // they find each other

		client := &http.Client{Transport: &http.Transport{
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return api.DialContext(ctx) },
			DisableKeepAlives: true,
		}}
		resp, err := client.Post("http://sidecar/v1.0/jobs/tick", "application/json", strings.NewReader(`{"schedule":"@every 1m"}`))
		if err != nil || resp.StatusCode/100 != 2 {
			t.Fatalf("schedule: %v, %v", resp, err)
		}
		resp.Body.Close()
		time.Sleep(time.Hour + time.Second)
		if got := len(receiver.requests()); got != 60 {
			t.Errorf("the app got %d triggers in an hour, want 60", got)
		}
		if got := len(sentry.Requests()); got < 24 || got > 28 {
			t.Errorf("Sentry was asked %d times in an hour, want by both, each five minutes", got)
		}
		if status, body := get(t, healthz, "/healthz"); status != http.StatusOK {
			t.Errorf("health: %d %s", status, body)
		}
		sentry.SetDown(true)
		time.Sleep(11 * time.Minute)
		if status, body := get(t, healthz, "/healthz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "the certificate expired") {
			t.Errorf("health without a certificate: %d %s", status, body)
		}
		stopSidecar()
		stopScheduler()
		synctest.Wait()
	})
}
