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
	// period is how often a source looks whether there is something new, and how long it waits at most after a failure.
	checkInterval = 10 * time.Second
	// firstRetry is how long it waits at most after a first failure. Each further one doubles that.
	minRetry = time.Second
)

// A Source is a certificate and its trust anchors. It is safe for concurrent use.
type Source struct {
	provider       provider
	log            *slog.Logger
	copy           *fileCopy     // nil: nobody needs files
	hasCertificate chan struct{} // closed when there is a certificate

	mu      sync.Mutex // guards the fields below
	current x509Material
	err     error // why the last look failed
}

// Papers are what a process shows, and by what it judges others. They are not changed once they are there.
type x509Material struct {
	svid    *x509svid.SVID // nil until there is one
	renewAt time.Time      // when the certificate is to be replaced; zero if that is not for us to say
	anchors anchors
}

// A provider is where papers come from.
type provider interface { // *sentry; *files
	// look returns the papers to use from now on: those at hand, if nothing is new. They count even beside an error.
	fetch(ctx context.Context, have x509Material) (x509Material, error)
}

// Run keeps the certificate and the anchors up to date until ctx ends, and then returns nil. It is to be called once.
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

// retryAfter returns how long to wait for the next try after so many failures before the last one. It varies a little, so
// that those who lost Sentry together do not all ask it at the same moment.
func retryAfter(failures int) time.Duration {
	wait := checkInterval
	if failures < 4 { // or it may overflow
		wait = min(minRetry<<failures, checkInterval)
	}
	return wait - rand.N(wait/5)
}

// Held waits until there is a certificate, or ctx ends; then it returns why ctx did.
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

// look takes what is new and returns the text of what failed. It logs that, unless it was said the last time.
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
		s.log.InfoContext(ctx, "took a certificate", slog.String("id", got.svid.ID.String()),
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
	s.log.LogAttrs(ctx, level, "cannot get a certificate; it is tried again", slog.Any("err", err))
	return err.Error()
}

// pause returns how long there is nothing to look for.
func (s *Source) nextCheck() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if left := time.Until(s.current.renewAt); left > 0 {
		return min(left, checkInterval)
	}
	return checkInterval
}

func (p x509Material) isValid(now time.Time) bool {
	return p.svid != nil && !now.After(p.svid.Certificates[0].NotAfter)
}

// verified returns why nobody with these papers would believe that they are right, or nil.
func (p x509Material) verify() error {
	_, _, err := x509svid.Verify(p.svid.Certificates, p.anchors)
	return err
}

// Check returns why no connection can be made, or nil. It does not block.
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

// Server returns what secures a server's connections: both sides show a certificate, and any id is admitted. Who is not is
// logged, once a minute.
func (s *Source) Server() credentials.TransportCredentials {
	config := tlsconfig.MTLSServerConfig(s, s, tlsconfig.AuthorizeAny())
	config.MinVersion = tls.VersionTLS13
	config.SessionTicketsDisabled = true // who resumes a session is not checked again
	return &loggingCredentials{TransportCredentials: credentials.NewTLS(config), log: s.log, limit: rate.Sometimes{Interval: time.Minute}}
}

// Client returns what secures a client's connections to servers of this id.
func (s *Source) Client(server spiffeid.ID) credentials.TransportCredentials {
	config := tlsconfig.MTLSClientConfig(s, s, tlsconfig.AuthorizeID(server))
	config.MinVersion = tls.VersionTLS13
	return credentials.NewTLS(config)
}

// Peer returns what secures a client's connections to other nodes of the same cluster: they have the id of this one.
func (s *Source) Peer() credentials.TransportCredentials {
	config := tlsconfig.MTLSClientConfig(s, s, func(id spiffeid.ID, _ [][]*x509.Certificate) error { return s.checkPeer(id) })
	config.MinVersion = tls.VersionTLS13
	return credentials.NewTLS(config)
}

// Anchors are the certificates by which all others are judged, whatever their trust domain.
type anchors []*x509.Certificate

// GetX509BundleForTrustDomain implements [x509bundle.Source].
func (a anchors) GetX509BundleForTrustDomain(domain spiffeid.TrustDomain) (*x509bundle.Bundle, error) {
	return x509bundle.FromX509Authorities(domain, a), nil
}
