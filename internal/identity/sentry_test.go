package identity_test

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	sentryv1 "github.com/dapr/dapr/pkg/proto/sentry/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"carillon/internal/identity"
	"carillon/internal/identity/identitytest"
	"carillon/internal/logtest"
)

// A plane is a Sentry, and what somebody asks of it.
type plane struct {
	*identitytest.Sentry
	ask identity.Sentry
	log logtest.Page
}

// newPlane runs a Sentry that shows an id, and whose certificates last for an hour.
func newPlane(t *testing.T, ca *identitytest.Authority, shows string) *plane {
	t.Helper()
	l := bufconn.Listen(1 << 16)
	p := &plane{Sentry: ca.Serve(t, l, shows, time.Hour)}
	id, err := identity.ID("localhost", "default", "dapr-sentry")
	if err != nil {
		t.Fatal(err)
	}
	p.ask = identity.Sentry{
		Address: "sentry:443", ID: id, Anchors: ca.PEM(), Namespace: "default", App: "dapr-scheduler", Domain: "localhost",
		Dial: func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) },
	}
	return p
}

// open runs a source of Sentry's certificates, until the test ends.
func (p *plane) open(t *testing.T) *identity.Source {
	t.Helper()
	s, err := identity.OpenSentry(p.ask, logTo(&p.log))
	return start(t, s, err)
}

func TestSentryRequestIsDaprs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token := filepath.Join(t.TempDir(), "token")
		write(t, token, []byte("secret-1\n"))
		for name, c := range map[string]struct {
			token     identity.Token
			alias     string
			id, want  string
			validator sentryv1.SignCertificateRequest_TokenValidator
		}{
			"on its own":    {identity.Token{}, "", "dapr-scheduler", "", sentryv1.SignCertificateRequest_UNKNOWN},
			"by an alias":   {identity.Token{}, "other", "other", "", sentryv1.SignCertificateRequest_UNKNOWN},
			"with a JWT":    {identity.Token{Files: []string{token}}, "", "dapr-scheduler", "secret-1", sentryv1.SignCertificateRequest_JWKS},
			"in Kubernetes": {identity.Token{Files: []string{"no/file", token}, Kubernetes: true}, "", "dapr-scheduler", "secret-1", sentryv1.SignCertificateRequest_KUBERNETES},
		} {
			p := newPlane(t, identitytest.NewAuthority(t), sentryID)
			p.ask.Token, p.ask.Alias = c.token, c.alias
			s := p.open(t)
			synctest.Wait()
			if err := s.Check(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			r := p.Requests()[0]
			if r.GetId() != c.id || r.GetNamespace() != "default" || r.GetTrustDomain() != "localhost" ||
				r.GetToken() != c.want || r.GetTokenValidator() != c.validator {
				t.Errorf("%s: asked for %v", name, r)
			}
			if strings.Contains(p.log.String(), "secret") {
				t.Errorf("%s: the token is in the log: %s", name, &p.log)
			}
		}
	})
}

func TestSentryRequestWithoutTokenIsDaprs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		token, legacy := filepath.Join(dir, "token"), filepath.Join(dir, "legacy")
		p := newPlane(t, identitytest.NewAuthority(t), sentryID)
		p.ask.Token = identity.Token{Files: []string{token, legacy}, Kubernetes: true}
		p.FailWith(status.Error(codes.PermissionDenied, "who are you?"))
		s := p.open(t)
		synctest.Wait()
		want := "there is no token for Sentry: no such file: " + token + " or " + legacy + ": mount the token of the pod's service account there"
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		p.FailWith(nil)
		if err := s.WaitCertificate(t.Context()); err != nil {
			t.Error(err)
		}
		for _, r := range p.Requests() {
			if r.GetToken() != "" || r.GetTokenValidator() != sentryv1.SignCertificateRequest_UNKNOWN {
				t.Errorf("asked for %v", r)
			}
		}
	})
}

// The missing token is not why a Sentry is down, or does not answer.
func TestMissingTokenIsReportedOnRefusalOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for want, spoil := range map[string]func(p *plane){
			"connection refused": func(p *plane) {
				p.ask.Dial = func(context.Context, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }
			},
			"deadline exceeded": func(p *plane) {
				p.ask.Dial = func(ctx context.Context, _ string) (net.Conn, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}
			},
			"told to be down": func(p *plane) { p.SetDown(true) },
			"not now":         func(p *plane) { p.FailWith(status.Error(codes.Canceled, "not now")) },
		} {
			p := newPlane(t, identitytest.NewAuthority(t), sentryID)
			p.ask.Token = identity.Token{Files: []string{"no/file"}, Kubernetes: true}
			spoil(p)
			s := p.open(t)
			time.Sleep(15 * time.Second)
			synctest.Wait()
			if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "token") {
				t.Errorf("%v, want %q and no word of a token", err, want)
			}
		}
	})
}

func TestTokenIsReadForEachCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token := filepath.Join(t.TempDir(), "token")
		p := newPlane(t, identitytest.NewAuthority(t), sentryID)
		p.ask.Token.Files = []string{token}
		s := p.open(t)
		synctest.Wait()
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), "no such file: "+token+": put the token there") {
			t.Errorf("without a token: %v", err)
		}
		write(t, token, []byte("\n"))
		time.Sleep(11 * time.Second)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), "is empty") {
			t.Errorf("with an empty token: %v", err)
		}
		write(t, token, []byte("one"))
		time.Sleep(10 * time.Second)
		write(t, token, []byte("two"))
		time.Sleep(70 * time.Minute)
		var tokens []string
		for _, r := range p.Requests() {
			tokens = append(tokens, r.GetToken())
		}
		if got := strings.Join(tokens, " "); got != "one two two" {
			t.Errorf("the tokens were %q", got)
		}
	})
}

func TestCertificateIsRenewedAtHalfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := identitytest.NewAuthority(t)
		p := newPlane(t, ca, sentryID)
		s := p.open(t)
		d := open(t, s)
		app, _ := files(t, ca, appID, 100*time.Hour)
		as := secured(t, app, "localhost", "default", "dapr-scheduler")
		synctest.Wait()
		first := d.dial(t, as)
		keys := make(map[string]bool)
		for n := range 4 {
			if got := len(p.Requests()); got != n+1 {
				t.Errorf("after %d half hours Sentry was asked %d times", n, got)
			}
			svid, err := s.GetX509SVID()
			if err != nil {
				t.Fatal(err)
			}
			keys[string(svid.Certificates[0].RawSubjectPublicKeyInfo)] = true
			if err := d.enter(t, as); err != nil {
				t.Errorf("after %d half hours: %v", n, err)
			}
			if err := ask(t.Context(), first); err != nil {
				t.Errorf("the first connection after %d half hours: %v", n, err)
			}
			time.Sleep(30*time.Minute + time.Second)
			synctest.Wait()
		}
		if len(keys) != 4 {
			t.Errorf("4 certificates have %d keys", len(keys))
		}
	})
}

func TestFirstFailureIsRetriedWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(t, identitytest.NewAuthority(t), sentryID)
		p.SetDown(true)
		s := p.open(t)
		synctest.Wait()
		p.SetDown(false)
		began := time.Now()
		if err := s.WaitCertificate(t.Context()); err != nil || s.Check() != nil {
			t.Errorf("%v, %v", err, s.Check())
		}
		if took := time.Since(began); took == 0 || took > time.Second {
			t.Errorf("the certificate came after %v, want within a second", took)
		}
	})
}

func TestRetriesBackOffToTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(t, identitytest.NewAuthority(t), sentryID)
		p.SetDown(true)
		s := p.open(t)
		for _, seconds := range []int{1, 2, 4, 8, 10, 10, 10} {
			least := time.Duration(seconds) * 800 * time.Millisecond
			synctest.Wait()
			before := len(p.Requests())
			time.Sleep(least - time.Millisecond)
			if got := len(p.Requests()) - before; got != 0 {
				t.Errorf("it was asked %d times within %v", got, least)
			}
			for began := time.Now(); len(p.Requests()) == before && time.Since(began) < time.Minute; {
				time.Sleep(time.Millisecond)
				synctest.Wait()
			}
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if err := s.WaitCertificate(ctx); err == nil {
			t.Error("there is a certificate")
		}
		p.SetDown(false)
		time.Sleep(11 * time.Second)
		p.SetDown(true)
		for before, began := len(p.Requests()), time.Now(); len(p.Requests()) == before && time.Since(began) < time.Hour; {
			time.Sleep(100 * time.Millisecond) // until half of its life is over
		}
		before := len(p.Requests())
		time.Sleep(time.Second)
		if got := len(p.Requests()) - before; got != 1 {
			t.Errorf("the first failure after a success is followed by %d tries within a second, want 1", got)
		}
	})
}

func TestUnreachableSentryIsRetriedAndReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := identitytest.NewAuthority(t)
		p := newPlane(t, ca, sentryID)
		s := p.open(t)
		d := open(t, s)
		app, _ := files(t, ca, appID, 100*time.Hour)
		as := secured(t, app, "localhost", "default", "dapr-scheduler")
		synctest.Wait()
		p.SetDown(true)
		time.Sleep(59 * time.Minute)
		if got, least := len(p.Requests()), 1+29*6; got < least || got > least*10/8 {
			t.Errorf("it was asked %d times, want %d or a few more", got, least)
		}
		if err := s.Check(); err != nil {
			t.Errorf("before it expires: %v", err)
		}
		if n := strings.Count(p.log.String(), "level=WARN"); n != 1 {
			t.Errorf("%d warnings, want one:\n%s", n, &p.log)
		}
		time.Sleep(2 * time.Minute)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), "expired") || !strings.Contains(err.Error(), "told to be down") {
			t.Errorf("after it expired: %v", err)
		}
		if err := d.enter(t, as); status.Code(err) != codes.Unavailable {
			t.Errorf("after it expired a client got %v", err)
		}
		p.SetDown(false)
		time.Sleep(11 * time.Second)
		if err := s.Check(); err != nil {
			t.Errorf("with Sentry back: %v", err)
		}
		if err := d.enter(t, as); err != nil {
			t.Errorf("with Sentry back: %v", err)
		}
	})
}

func TestAnchorChangeBringsNewCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next := identitytest.NewAuthority(t), identitytest.NewAuthority(t)
		p := newPlane(t, old, sentryID)
		p.ask.AnchorsFile = filepath.Join(t.TempDir(), "ca.pem")
		write(t, p.ask.AnchorsFile, old.PEM())
		s := p.open(t)
		d := open(t, s)
		app, _ := files(t, next, appID, 100*time.Hour)
		as := secured(t, app, "localhost", "default", "dapr-scheduler")
		synctest.Wait()
		if err := d.enter(t, as); status.Code(err) != codes.Unavailable {
			t.Errorf("before: %v", err)
		}
		// Sentry's own certificate is still by the old authority: both are anchors.
		write(t, p.ask.AnchorsFile, append(old.PEM(), next.PEM()...))
		p.SignWith(next)
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if err := d.enter(t, as); err != nil {
			t.Errorf("with both anchors: %v", err)
		}
		write(t, p.ask.AnchorsFile, []byte("half a fi"))
		time.Sleep(time.Minute)
		if err := s.Check(); err != nil {
			t.Errorf("a file that cannot be read: %v, want what was there before", err)
		}
		if err := d.enter(t, as); err != nil {
			t.Errorf("with a file that cannot be read: %v", err)
		}
	})
}

func TestSignedCertificateIsVerified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, other := identitytest.NewAuthority(t), identitytest.NewAuthority(t)
		swap := func(a *identitytest.Authority, id string) func(*sentryv1.SignCertificateRequest, *sentryv1.SignCertificateResponse) {
			return func(_ *sentryv1.SignCertificateRequest, res *sentryv1.SignCertificateResponse) {
				res.WorkloadCertificate, _ = a.Issue(t, id, time.Hour)
			}
		}
		for want, bend := range map[string]func(*sentryv1.SignCertificateRequest, *sentryv1.SignCertificateResponse){
			"a certificate for another key": swap(ca, schedulerID),
			"it holds no certificate in PEM": func(_ *sentryv1.SignCertificateRequest, res *sentryv1.SignCertificateResponse) {
				res.WorkloadCertificate = []byte("hello")
			},
			"the certificate chain from Sentry": func(_ *sentryv1.SignCertificateRequest, res *sentryv1.SignCertificateResponse) {
				res.TrustChainCertificates = [][]byte{[]byte("hello")}
			},
		} {
			p := newPlane(t, ca, sentryID)
			p.ModifyResponses(bend)
			s := p.open(t)
			synctest.Wait()
			if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}

		p := newPlane(t, ca, sentryID)
		p.SignWith(other)
		s := p.open(t)
		synctest.Wait()
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), "verify the certificate from Sentry") {
			t.Errorf("by another authority: %v", err)
		}

		p = newPlane(t, ca, sentryID)
		p.ask.Alias = "somebody"
		p.ask.App = "me"
		s = p.open(t)
		synctest.Wait()
		if err := s.Check(); err != nil {
			t.Errorf("by its alias: %v", err)
		}
	})
}

func TestSentryMustAuthenticate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, other := identitytest.NewAuthority(t), identitytest.NewAuthority(t)
		for name, p := range map[string]*plane{
			"another app":       newPlane(t, ca, "spiffe://localhost/ns/default/app"),
			"another namespace": newPlane(t, ca, "spiffe://localhost/ns/other/dapr-sentry"),
			"another domain":    newPlane(t, ca, "spiffe://other/ns/default/dapr-sentry"),
			"another authority": newPlane(t, other, sentryID),
		} {
			p.ask.Anchors = ca.PEM()
			s := p.open(t)
			synctest.Wait()
			if err := s.Check(); err == nil || len(p.Requests()) > 0 {
				t.Errorf("%s: it was asked %v, and then there is %v", name, p.Requests(), err)
			}
		}
	})
}

func TestSourceNeedsAnchors(t *testing.T) {
	p := newPlane(t, identitytest.NewAuthority(t), sentryID)
	for want, change := range map[string]func(*identity.Sentry){
		`trust anchors in "the environment": it holds no certificate`: func(s *identity.Sentry) { s.Anchors = nil },
		"trust anchors: open no/file":                                 func(s *identity.Sentry) { s.AnchorsFile = "no/file" },
		"the address of Sentry is missing":                            func(s *identity.Sentry) { s.Address = "" },
	} {
		ask := p.ask
		change(&ask)
		if _, err := identity.OpenSentry(ask, quiet()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := identity.ID("Not a domain", "ns", "app"); err == nil {
		t.Error("a trust domain that is none is taken")
	}
	if _, err := identity.ID("domain", "ns", "a/b"); err == nil {
		t.Error("an app that no id can name is taken")
	}
}
