package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"

	"carillon/internal/identity"
	"carillon/internal/identity/identitytest"
)

// sentryDown runs a source of certificates until the test ends. Its Sentry is down until up is called.
func sentryDown(t *testing.T) (who *identity.Source, up func()) {
	t.Helper()
	ca, l := identitytest.NewAuthority(t), bufconn.Listen(64<<10)
	sentry := ca.Serve(t, l, "spiffe://localhost/ns/default/dapr-sentry", time.Hour)
	sentry.SetDown(true)
	id, err := identity.ID("localhost", "default", "dapr-sentry")
	if err != nil {
		t.Fatal(err)
	}
	who, err = identity.OpenSentry(identity.Sentry{
		Address: "sentry:443", ID: id, Anchors: ca.PEM(), Namespace: "default", App: "dapr-scheduler", Domain: "localhost",
		Dial: func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) },
	}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- who.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return who, func() { sentry.SetDown(false) }
}

var errStopped = errors.New("stopped")

func TestNodeWithoutCertificateDoesNotJoinCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		who, up := sentryDown(t)
		joined, ended := make(chan struct{}), make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		join := func(ctx context.Context) error {
			close(joined)
			<-ctx.Done()
			return errStopped
		}
		go func() { ended <- afterCertificate(who, join)(ctx) }()
		select {
		case <-joined:
			t.Fatal("it joined")
		case <-time.After(time.Minute):
		}
		up()
		select {
		case <-joined:
		case <-time.After(10 * time.Second):
			t.Error("it did not join")
		}
		stop()
		if err := <-ended; !errors.Is(err, errStopped) {
			t.Errorf("the component returned %v, want what it has run", err)
		}
		stopped, cancel := context.WithCancel(t.Context())
		cancel()
		never, _ := sentryDown(t)
		if err := afterCertificate(never, func(context.Context) error { return errors.New("it joined") })(stopped); err != nil {
			t.Error(err)
		}
	})
}

func TestDeferredPortInUseIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	who, up := sentryDown(t)
	ports, err := deferPorts(who, slog.New(slog.DiscardHandler), &l)
	if err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("tcp", l.Addr().String())
	if err != nil {
		t.Fatalf("the port is not closed: %v", err)
	}
	defer other.Close()
	if ports.check() == nil {
		t.Error("the check finds the port open")
	}
	up()
	if err := ports.wait(t.Context()); err == nil {
		t.Error("a port in use was opened")
	}
	if ports.check() == nil {
		t.Error("the check finds the port open")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestPortsStayOpenWithCertificate(t *testing.T) {
	ca := identitytest.NewAuthority(t)
	cert, key, anchors := ca.Write(t, "spiffe://localhost/ns/default/dapr-scheduler", time.Hour)
	who, err := identity.OpenFiles(identity.Files{Cert: cert, Key: key, CA: anchors}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []*identity.Source{who, nil} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		before := l
		ports, err := deferPorts(one, slog.New(slog.DiscardHandler), &l)
		if err != nil || l != before {
			t.Errorf("%v; the listener was replaced: %t", err, l != before)
		}
		if err := errors.Join(ports.wait(t.Context()), ports.check(), l.Close()); err != nil {
			t.Error(err)
		}
	}
}
