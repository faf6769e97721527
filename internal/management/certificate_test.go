package management_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"carillon/internal/identity/identitytest"
	"carillon/internal/logtest"
	"carillon/internal/management"
	pb "carillon/internal/managementv1"
	"carillon/internal/memnet"
)

const serverID = "spiffe://localhost/ns/default/carillon"

// A secureServer is a management API with TLS on a network in memory.
type secureServer struct {
	t                 *testing.T
	ca                *identitytest.Authority
	certFile, keyFile string
	log               logtest.Page
	listener          *memnet.Listener
}

// runSecure calls f in fake time with a server with TLS, which has no jobs.
func runSecure(t *testing.T, f func(t *testing.T, s *secureServer)) {
	synctest.Test(t, func(t *testing.T) {
		s := &secureServer{t: t, ca: identitytest.NewAuthority(t).For(net.IPv4(127, 0, 0, 1)), listener: memnet.Listen()}
		s.certFile, s.keyFile, _ = s.ca.Write(t, serverID, time.Hour)
		certificate, err := management.OpenCertificate(s.certFile, s.keyFile)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			log := slog.New(slog.NewTextHandler(&s.log, nil))
			ended <- management.New(management.Config{Certificate: certificate}, log).Run(ctx, s.listener)
		}()
		f(t, s)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// config returns the TLS configuration of a client that trusts the authority.
func (s *secureServer) config() *tls.Config {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.ca.PEM())
	return &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
}

// get sends a request, and returns the state of its connection.
func (s *secureServer) get(config *tls.Config) (*tls.ConnectionState, error) {
	s.t.Helper()
	transport := &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return s.listener.DialContext(ctx) },
		TLSClientConfig: config, ForceAttemptHTTP2: true,
	}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "https://127.0.0.1/openapi.json", http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Errorf("GET = %s", resp.Status)
	}
	return resp.TLS, nil
}

// serial returns the serial number of the certificate that the server shows.
func (s *secureServer) serial() string {
	s.t.Helper()
	state, err := s.get(s.config())
	if err != nil {
		s.t.Fatal(err)
	}
	return state.PeerCertificates[0].SerialNumber.String()
}

// write replaces a file.
func (s *secureServer) write(name string, text []byte) {
	s.t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func TestTLSServesHTTPAndGRPC(t *testing.T) {
	runSecure(t, func(t *testing.T, s *secureServer) {
		state, err := s.get(s.config())
		if err != nil || state.NegotiatedProtocol != "h2" || state.Version != tls.VersionTLS13 {
			t.Errorf("over HTTP: %+v, %v", state, err)
		}
		old := s.config()
		old.MaxVersion = tls.VersionTLS11
		if _, err := s.get(old); err == nil {
			t.Error("a client with TLS 1.1 is served")
		}
		old.MaxVersion = tls.VersionTLS12
		if _, err := s.get(old); err != nil {
			t.Errorf("a client with TLS 1.2: %v", err)
		}
		for name, c := range map[string]struct {
			creds credentials.TransportCredentials
			want  codes.Code
		}{
			"TLS":       {credentials.NewTLS(s.config()), codes.OK},
			"plaintext": {insecure.NewCredentials(), codes.Unavailable},
		} {
			conn, err := grpc.NewClient("passthrough:///127.0.0.1", grpc.WithTransportCredentials(c.creds),
				grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.listener.DialContext(ctx) }))
			if err != nil {
				t.Fatal(err)
			}
			_, err = pb.NewManagementClient(conn).ExplainSchedule(t.Context(), &pb.ExplainScheduleRequest{Schedule: new("@daily")})
			if status.Code(err) != c.want {
				t.Errorf("over gRPC with %s: %v, want %v", name, err, c.want)
			}
			conn.Close()
		}
	})
}

func TestCertificateIsReloaded(t *testing.T) {
	runSecure(t, func(t *testing.T, s *secureServer) {
		first := s.serial()
		cert, key := s.ca.Issue(t, serverID, 2*time.Hour)
		s.write(s.certFile, cert) // before its key
		for range 3 {
			time.Sleep(2 * time.Second)
			if got := s.serial(); got != first {
				t.Errorf("with a new certificate without its key the server shows %s, want %s", got, first)
			}
		}
		if n := strings.Count(s.log.String(), "level=ERROR"); n != 1 || !strings.Contains(s.log.String(), s.keyFile) {
			t.Errorf("the log has %d errors, want one that names the file:\n%s", n, s.log.String())
		}
		s.write(s.keyFile, key)
		time.Sleep(2 * time.Second)
		second := s.serial()
		if second == first {
			t.Error("the new certificate is not used")
		}
		if err := os.Remove(s.keyFile); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if got := s.serial(); got != second {
			t.Errorf("without its file the server shows %s, want %s", got, second)
		}
		if strings.Contains(s.log.String(), "PRIVATE") {
			t.Error("the log has the key")
		}
	})
}

func TestUnusableCertificateIsRefusedAtStart(t *testing.T) {
	ca := identitytest.NewAuthority(t)
	cert, key, _ := ca.Write(t, serverID, time.Hour)
	_, other, _ := ca.Write(t, serverID, time.Hour)
	for name, files := range map[string][2]string{
		"no certificate": {"no/file", key}, "no key": {cert, "no/file"}, "the key of another": {cert, other}, "changed places": {key, cert},
	} {
		if _, err := management.OpenCertificate(files[0], files[1]); err == nil || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
