package identity

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	sentryv1 "github.com/dapr/dapr/pkg/proto/sentry/v1"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// signTimeout is the timeout of a request for a certificate, including the connection.
const signTimeout = 10 * time.Second

// A Sentry is Dapr's certificate authority, and the request to it (scheduler specification §7.6).
type Sentry struct {
	// Address is its host:port.
	Address string
	// ID is the SPIFFE id that it must have.
	ID spiffeid.ID
	// AnchorsFile has the trust anchors, and is reloaded when it changes. Anchors are the anchors
	// themselves, without a file.
	AnchorsFile string
	Anchors     []byte

	// Namespace and App are the subject of the certificate. Alias is another name in the request
	// for the same App: Dapr's injector has one that Sentry maps.
	Namespace, App, Alias string
	// Domain is the requested trust domain. Sentry uses it only for its control plane.
	Domain string
	// Token authenticates the request.
	Token Token

	// Dial connects to Address; nil means TCP.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

// A Token is a file that a platform renews. It is read for each request, and neither logged nor
// sent to anything but Sentry.
type Token struct {
	Files      []string // the first existing file counts; empty: no token
	Kubernetes bool     // the issuer is Kubernetes, not one whose keys are configured in Sentry
}

// OpenSentry returns a source of certificates that Sentry signs. It reads the anchors; Run requests
// certificates.
func OpenSentry(s Sentry, log *slog.Logger) (*Source, error) {
	from := &sentryProvider{Sentry: s}
	all, err := from.readAnchors()
	if err != nil {
		return nil, err
	}
	if s.Address == "" {
		return nil, errors.New("the address of Sentry is missing")
	}
	return newSource(from, x509Material{anchors: all}, log), nil
}

// sentryProvider is the provider of certificates from Sentry. It belongs to one goroutine.
type sentryProvider struct {
	Sentry
	text    []byte // source text of anchors
	anchors anchors
}

func (s *sentryProvider) fetch(ctx context.Context, have x509Material) (x509Material, error) {
	all, unread := s.readAnchors()
	have.anchors = all
	if have.svid != nil && time.Now().Before(have.renewAt) && have.verify() == nil {
		return have, unread
	}
	svid, err := s.sign(ctx)
	if err != nil {
		return have, errors.Join(unread, fmt.Errorf("ask Sentry at %s for a certificate: %w", s.Address, err))
	}
	// Half of the remaining time, not of the whole lifetime: Sentry backdates certificates for clock skew.
	now := time.Now()
	have.svid, have.renewAt = svid, now.Add(svid.Certificates[0].NotAfter.Sub(now)/2)
	return have, unread
}

// readAnchors returns the trust anchors; the previous ones if they cannot be read.
func (s *sentryProvider) readAnchors() (anchors, error) {
	text := s.Anchors
	if s.AnchorsFile != "" {
		var err error
		if text, err = os.ReadFile(s.AnchorsFile); err != nil {
			return s.anchors, fmt.Errorf("trust anchors: %w", err)
		}
	}
	if s.anchors != nil && bytes.Equal(text, s.text) {
		return s.anchors, nil
	}
	all, err := parseCerts(text)
	if err != nil {
		return s.anchors, fmt.Errorf("trust anchors in %q: %w", cmp.Or(s.AnchorsFile, "the environment"), err)
	}
	s.text, s.anchors = text, all
	return all, nil
}

// sign requests a certificate for a new key.
func (s *sentryProvider) sign(ctx context.Context) (*x509svid.SVID, error) {
	ctx, cancel := context.WithTimeout(ctx, signTimeout)
	defer cancel()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, new(x509.CertificateRequest), key)
	if err != nil {
		return nil, err
	}
	token, validator, err := s.Token.read()
	if err != nil {
		return nil, err
	}
	conn, err := s.connect()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	response, err := sentryv1.NewCAClient(conn).SignCertificate(ctx, &sentryv1.SignCertificateRequest{
		Id: cmp.Or(s.Alias, s.App), Namespace: s.Namespace, TrustDomain: s.Domain, Token: token, TokenValidator: validator,
		CertificateSigningRequest: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request}),
	})
	if err != nil {
		if token == "" && len(s.Token.Files) > 0 && isRefusal(err) {
			err = fmt.Errorf("%w; %w", err, s.Token.missing())
		}
		return nil, err
	}
	return s.verifyResponse(response, public, key)
}

// isRefusal reports whether Sentry has refused a request, rather than not responded.
func isRefusal(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return false
	default:
		return true
	}
}

// verifyResponse checks that the certificate is what was requested.
func (s *sentryProvider) verifyResponse(
	response *sentryv1.SignCertificateResponse, public ed25519.PublicKey, key ed25519.PrivateKey,
) (*x509svid.SVID, error) {
	chain, err := parseCerts(response.GetWorkloadCertificate())
	if err != nil {
		return nil, fmt.Errorf("the certificate from Sentry: %w", err)
	}
	for _, text := range response.GetTrustChainCertificates() {
		more, err := parseCerts(text)
		if err != nil {
			return nil, fmt.Errorf("the certificate chain from Sentry: %w", err)
		}
		for _, cert := range more {
			if !slices.ContainsFunc(chain, cert.Equal) {
				chain = append(chain, cert)
			}
		}
	}
	if !public.Equal(chain[0].PublicKey) {
		return nil, errors.New("Sentry signed a certificate for another key")
	}
	id, _, err := x509svid.Verify(chain, s.anchors)
	if err != nil {
		return nil, fmt.Errorf("verify the certificate from Sentry: %w", err)
	}
	if ns, app, ok := workload(id); !ok || ns != s.Namespace || app != s.App && app != s.Alias {
		return nil, fmt.Errorf("Sentry signed a certificate for %s instead of %s in the namespace %s", id, s.App, s.Namespace)
	}
	return &x509svid.SVID{ID: id, Certificates: chain, PrivateKey: key}, nil
}

// read returns the token, and how Sentry must validate it.
func (t Token) read() (string, sentryv1.SignCertificateRequest_TokenValidator, error) {
	validator := sentryv1.SignCertificateRequest_JWKS
	if t.Kubernetes {
		validator = sentryv1.SignCertificateRequest_KUBERNETES
	}
	for _, name := range t.Files {
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", validator, fmt.Errorf("read the token: %w", err)
		}
		if text = bytes.TrimSpace(text); len(text) == 0 {
			return "", validator, fmt.Errorf("the token file for Sentry, %s, is empty: %s", name, t.remedy())
		}
		return string(text), validator, nil
	}
	if len(t.Files) > 0 && !t.Kubernetes {
		return "", validator, t.missing()
	}
	// As Dapr does, also in Kubernetes: a Sentry may need no token.
	return "", sentryv1.SignCertificateRequest_UNKNOWN, nil
}

// missing is the error that no file of the token exists.
func (t Token) missing() error {
	return fmt.Errorf("there is no token for Sentry: no such file: %s: %s", strings.Join(t.Files, " or "), t.remedy())
}

// remedy says what to do about a missing token.
func (t Token) remedy() string {
	if t.Kubernetes {
		return "mount the token of the pod's service account there, as Dapr's chart and injector do, or set DAPR_SENTRY_TOKEN_FILE to the file that has one"
	}
	return "put the token there, or set DAPR_SENTRY_TOKEN_FILE to the file that has it"
}

// connect connects to Sentry, which must authenticate. This process has no certificate yet.
func (s *sentryProvider) connect() (*grpc.ClientConn, error) {
	config := tlsconfig.TLSClientConfig(s.anchors, tlsconfig.AuthorizeID(s.ID))
	config.MinVersion = tls.VersionTLS13
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithDisableServiceConfig(), grpc.WithNoProxy(),
	}
	if s.Dial != nil {
		options = append(options, grpc.WithContextDialer(s.Dial))
	}
	return grpc.NewClient("passthrough:///"+s.Address, options...)
}
