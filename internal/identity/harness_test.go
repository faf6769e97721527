package identity_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	sentryv1 "github.com/dapr/dapr/pkg/proto/sentry/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/test/bufconn"

	"carillon/internal/identity"
	"carillon/internal/identity/identitytest"
)

const (
	schedulerID = "spiffe://localhost/ns/default/dapr-scheduler"
	sentryID    = "spiffe://localhost/ns/default/dapr-sentry"
)

// start runs a source until the test ends.
func start(t *testing.T, s *identity.Source, err error) *identity.Source {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func logTo(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// files writes a certificate that lasts so long to files, and returns their source.
func files(t *testing.T, a *identitytest.Authority, id string, lasts time.Duration) (*identity.Source, identity.Files) {
	t.Helper()
	cert, key, ca := a.Write(t, id, lasts)
	names := identity.Files{Cert: cert, Key: key, CA: ca}
	s, err := identity.OpenFiles(names, logTo(t.Output()))
	return start(t, s, err), names
}

func write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// authServer is a server with the credentials of a source. It authorizes calls about a namespace and an app.
type authServer struct {
	sentryv1.UnimplementedCAServer
	source *identity.Source
	l      *bufconn.Listener
}

// open runs an authServer until the test ends.
func open(t *testing.T, s *identity.Source) *authServer {
	t.Helper()
	d := &authServer{source: s, l: bufconn.Listen(1 << 16)}
	server := grpc.NewServer(grpc.Creds(s.Server()))
	sentryv1.RegisterCAServer(server, d)
	served := make(chan error, 1)
	go func() { served <- server.Serve(d.l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return d
}

// SignCertificate is a method like any other, that names a namespace and an app, or the app peer, which is the nodes of
// the cluster.
func (d *authServer) SignCertificate(
	ctx context.Context, r *sentryv1.SignCertificateRequest,
) (*sentryv1.SignCertificateResponse, error) {
	if r.GetId() == "peer" {
		return new(sentryv1.SignCertificateResponse), d.source.AuthorizePeer(ctx)
	}
	if err := d.source.Authorize(ctx, r.GetNamespace(), r.GetId()); err != nil {
		return nil, err
	}
	return new(sentryv1.SignCertificateResponse), nil
}

// dial returns a client with a connection of its own.
func (d *authServer) dial(t *testing.T, secure credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:server", grpc.WithTransportCredentials(secure),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return d.l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ask makes a call about default/app.
func ask(ctx context.Context, conn *grpc.ClientConn) error { return askAs(ctx, conn, "app") }

func askAs(ctx context.Context, conn *grpc.ClientConn, app string) error {
	_, err := sentryv1.NewCAClient(conn).SignCertificate(ctx, &sentryv1.SignCertificateRequest{Namespace: "default", Id: app})
	return err
}

// enter connects afresh, and makes a call.
func (d *authServer) enter(t *testing.T, secure credentials.TransportCredentials) error {
	t.Helper()
	return ask(t.Context(), d.dial(t, secure))
}
