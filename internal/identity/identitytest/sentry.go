package identitytest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	sentryv1 "github.com/dapr/dapr/pkg/proto/sentry/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// A Sentry responds as Dapr's: it signs each request. It is safe for concurrent use.
type Sentry struct {
	sentryv1.UnimplementedCAServer

	mu      sync.Mutex // guards the fields below
	by      *Authority
	lasts   time.Duration
	asked   []*sentryv1.SignCertificateRequest
	refused error // of each request; nil: none
	bend    func(*sentryv1.SignCertificateRequest, *sentryv1.SignCertificateResponse)
}

// Serve runs a Sentry on l until the test ends. It has the given SPIFFE id, and its certificates
// the given lifetime.
func (a *Authority) Serve(t testing.TB, l net.Listener, id string, lasts time.Duration) *Sentry {
	t.Helper()
	s := &Sentry{by: a, lasts: lasts}
	certPEM, keyPEM := a.Issue(t, id, 10*365*24*time.Hour)
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&cert)), grpc.WaitForHandlers(true))
	sentryv1.RegisterCAServer(server, s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) { // stopped before Serve began
			t.Errorf("Sentry: %v", err)
		}
	})
	return s
}

// Requests returns the requests so far.
func (s *Sentry) Requests() []*sentryv1.SignCertificateRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// SetDown makes all requests fail, or no longer.
func (s *Sentry) SetDown(down bool) {
	if down {
		s.FailWith(status.Error(codes.Unavailable, "told to be down"))
		return
	}
	s.FailWith(nil)
}

// FailWith makes all requests fail with err from now on; nil means no longer.
func (s *Sentry) FailWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
}

// SignWith sets the authority that signs from now on.
func (s *Sentry) SignWith(a *Authority) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by = a
}

// ModifyResponses makes f modify each response from now on.
func (s *Sentry) ModifyResponses(f func(*sentryv1.SignCertificateRequest, *sentryv1.SignCertificateResponse)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bend = f
}

// SignCertificate signs a certificate for any request, in the requested trust domain.
func (s *Sentry) SignCertificate(
	_ context.Context, req *sentryv1.SignCertificateRequest,
) (*sentryv1.SignCertificateResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, req)
	if s.refused != nil {
		return nil, s.refused
	}
	csr, err := parseRequest(req.GetCertificateSigningRequest())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	id := "spiffe://" + req.GetTrustDomain() + "/ns/" + req.GetNamespace() + "/" + req.GetId()
	cert, err := s.by.Sign(id, csr.PublicKey, s.lasts)
	if err != nil {
		return nil, err
	}
	res := &sentryv1.SignCertificateResponse{
		WorkloadCertificate: cert, TrustChainCertificates: [][]byte{s.by.PEM()},
	}
	if s.bend != nil {
		s.bend(req, res)
	}
	return res, nil
}

func parseRequest(text []byte) (*x509.CertificateRequest, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(rest) > 0 {
		return nil, errors.New("that is no certificate request in PEM")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, err
	}
	if len(csr.URIs) > 0 || len(csr.DNSNames) > 0 || csr.PublicKeyAlgorithm != x509.Ed25519 {
		return nil, errors.New("a request has an Ed25519 key and no names: Sentry says who is who")
	}
	return csr, nil
}
