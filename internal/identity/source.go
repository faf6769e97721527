package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"golang.org/x/time/rate"
	"google.golang.org/grpc/credentials"
)

const (
	// checkInterval is how often a source checks for something new, and the maximum delay after a
	// failure.
	checkInterval = 10 * time.Second
	// minRetry is the maximum delay after a first failure. It doubles with each further one.
	minRetry = time.Second
)

// A Source is a certificate with its trust anchors. It is safe for concurrent use.
type Source struct {
	provider       provider
	log            *slog.Logger
	copy           *fileCopy     // nil: no copies in files
	hasCertificate chan struct{} // closed when there is a certificate

	mu      sync.Mutex // guards the fields below
	current x509Material
	err     error // why the last refresh failed
}

// Run renews the certificate and the anchors until ctx ends, and then returns nil. It must be
// called once.
func (s *Source) Run(ctx context.Context) error {
	if s.copy != nil {
		defer s.copy.remove()
	}
	lastErr, failures := "", 0
	for {
		var wait time.Duration
		if lastErr = s.refresh(ctx, lastErr); lastErr == "" {
			wait, failures = s.nextCheck(), 0
		} else {
			wait, failures = retryAfter(failures), failures+1
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
	}
}

// retryAfter returns the delay before the next retry, after a number of failures before the last
// one. It is random within a fifth, so that nodes do not all retry at the same moment.
func retryAfter(failures int) time.Duration {
	wait := checkInterval
	if failures < 4 { // the shift may overflow beyond
		wait = min(minRetry<<failures, checkInterval)
	}
	return wait - rand.N(wait/5)
}

// WaitCertificate waits until there is a certificate. If ctx ends first, it returns the cause.
func (s *Source) WaitCertificate(ctx context.Context) error {
	select {
	case <-s.hasCertificate:
		return nil
	default:
	}
	select {
	case <-s.hasCertificate:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// refresh fetches new material, and returns the text of its error, or "". It logs an error that
// differs from the last one.
func (s *Source) refresh(ctx context.Context, lastErr string) string {
	s.mu.Lock()
	have := s.current
	s.mu.Unlock()
	got, err := s.provider.fetch(ctx, have)
	if ctx.Err() != nil {
		return lastErr
	}
	if s.copy != nil {
		err = errors.Join(err, s.copy.update(got))
	}
	s.mu.Lock()
	s.current, s.err = got, err
	s.mu.Unlock()
	if got.svid != nil && have.svid == nil {
		close(s.hasCertificate)
	}
	if got.svid != nil && got.svid != have.svid {
		s.log.InfoContext(ctx, "received a certificate", slog.String("id", got.svid.ID.String()),
			slog.Time("expires", got.svid.Certificates[0].NotAfter))
	}
	if err == nil {
		return ""
	}
	level := slog.LevelWarn
	switch {
	case err.Error() == lastErr:
		level = slog.LevelDebug
	case !got.isValid(time.Now()):
		level = slog.LevelError
	}
	s.log.LogAttrs(ctx, level, "cannot get a certificate; retrying", slog.Any("err", err))
	return err.Error()
}

// nextCheck returns the time until the next refresh.
func (s *Source) nextCheck() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if left := time.Until(s.current.renewAt); left > 0 {
		return min(left, checkInterval)
	}
	return checkInterval
}

// isValid reports whether there is a certificate that has not expired.
func (p x509Material) isValid(now time.Time) bool {
	return p.svid != nil && !now.After(p.svid.Certificates[0].NotAfter)
}

// Check returns why no connection is possible, or nil. It does not block.
func (s *Source) Check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.current.isValid(time.Now()):
		return nil
	case s.current.svid != nil:
		return errors.Join(fmt.Errorf("the certificate expired on %s", s.current.svid.Certificates[0].NotAfter.Format(time.RFC3339)), s.err)
	default:
		return errors.Join(errNoCertificate, s.err)
	}
}

// Expires returns when the certificate expires; the zero time if there is none.
func (s *Source) Expires() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.svid == nil {
		return time.Time{}
	}
	return s.current.svid.Certificates[0].NotAfter
}

// errNoCertificate is the error before the first certificate.
var errNoCertificate = errors.New("there is no certificate yet")

// GetX509SVID implements [x509svid.Source].
func (s *Source) GetX509SVID() (*x509svid.SVID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.svid == nil {
		return nil, errNoCertificate
	}
	return s.current.svid, nil
}

// GetX509BundleForTrustDomain implements [x509bundle.Source].
func (s *Source) GetX509BundleForTrustDomain(domain spiffeid.TrustDomain) (*x509bundle.Bundle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.anchors.GetX509BundleForTrustDomain(domain)
}

// Server returns the credentials of a server: both sides show a certificate, and any id is
// accepted. Rejected clients are logged once a minute.
func (s *Source) Server() credentials.TransportCredentials {
	config := tlsconfig.MTLSServerConfig(s, s, tlsconfig.AuthorizeAny())
	config.MinVersion = tls.VersionTLS13
	config.SessionTicketsDisabled = true // a resumed session would not be verified
	return &loggingCredentials{TransportCredentials: credentials.NewTLS(config), log: s.log, limit: rate.Sometimes{Interval: time.Minute}}
}

// Client returns the credentials of a client of servers with this id.
func (s *Source) Client(server spiffeid.ID) credentials.TransportCredentials {
	config := tlsconfig.MTLSClientConfig(s, s, tlsconfig.AuthorizeID(server))
	config.MinVersion = tls.VersionTLS13
	return credentials.NewTLS(config)
}

// Peer returns the credentials of a client of other nodes of the same cluster, which have the same
// id.
func (s *Source) Peer() credentials.TransportCredentials {
	config := tlsconfig.MTLSClientConfig(s, s, func(id spiffeid.ID, _ [][]*x509.Certificate) error { return s.checkPeer(id) })
	config.MinVersion = tls.VersionTLS13
	return credentials.NewTLS(config)
}

// checkPeer returns an error unless the id is that of this process.
func (s *Source) checkPeer(id spiffeid.ID) error {
	own, err := s.GetX509SVID()
	if err == nil && own.ID != id {
		err = fmt.Errorf("%s is not a node of this cluster", id)
	}
	return err
}

func newSource(from provider, first x509Material, log *slog.Logger) *Source {
	s := &Source{provider: from, current: first, hasCertificate: make(chan struct{}), log: log.With(slog.String("component", "identity"))}
	if first.svid != nil {
		close(s.hasCertificate)
	}
	return s
}
