package etcdmember

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
)

// client returns the TLS configuration for calls to other members.
func (t TLS) client() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, err
	}
	authorities, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authorities)
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, Certificates: []tls.Certificate{pair}}, nil
}

// waitTLS waits for the member's certificate. It returns an error if other members would refuse the
// certificate.
func (c Config) waitTLS(ctx context.Context) error {
	u, err := url.Parse(c.Peers[c.Name])
	if c.TLS == nil || err != nil || u.Scheme != "https" {
		return nil //nolint:nilerr // New has reported it
	}
	if c.TLS.Ready != nil {
		if err := c.TLS.Ready(ctx); err != nil {
			return err
		}
	}
	pair, err := tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile)
	if err != nil {
		return fmt.Errorf("the certificate for its peers: %w", err)
	}
	if err := pair.Leaf.VerifyHostname(u.Hostname()); err != nil {
		return fmt.Errorf("the other members will refuse the certificate in %s, because it is not valid for %s, the address of this member: issue it with that name or address as a subjectAltName: %w",
			c.TLS.CertFile, u.Hostname(), err)
	}
	return nil
}
