package etcdmember

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
)

// awaitTLS waits until the member's certificate is there, and returns why other members would not take it, or nil.
func (c Config) waitTLS(ctx context.Context) error {
	u, err := url.Parse(c.Peers[c.Name])
	if c.TLS == nil || err != nil || u.Scheme != "https" {
		return nil //nolint:nilerr // New has said so
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
		return fmt.Errorf("the other members will not take the certificate in %s, because it does not name %s, where they find this one: have it issued with that name or address as a subjectAltName: %w",
			c.TLS.CertFile, u.Hostname(), err)
	}
	return nil
}

// client returns how a member speaks to others.
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
