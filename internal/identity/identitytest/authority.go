// Package identitytest is a certificate authority and a Sentry for tests: with real certificates
// and a real server.
package identitytest

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An Authority signs certificates. It is safe for concurrent use.
type Authority struct {
	cert  *x509.Certificate
	key   ed25519.PrivateKey
	hosts []net.IP // that its certificates name
}

// For returns the same authority; its certificates are also valid for these addresses, like those
// of servers.
func (a *Authority) For(addresses ...net.IP) *Authority {
	b := *a
	b.hosts = addresses
	return &b
}

// NewAuthority returns a new authority, whose own certificate lasts for ten years.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	public, key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: serial(t), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &Authority{cert: cert, key: key}
}

// PEM returns the certificate of the authority: a trust anchor.
func (a *Authority) PEM() []byte { return encode("CERTIFICATE", a.cert.Raw) }

// Sign returns a certificate in PEM for a key, with this SPIFFE id and lifetime.
func (a *Authority) Sign(id string, key crypto.PublicKey, lasts time.Duration) ([]byte, error) {
	uri, err := url.Parse(id)
	if err != nil {
		return nil, err
	}
	number, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: number, URIs: []*url.URL{uri}, IPAddresses: a.hosts, NotBefore: time.Now().Add(-time.Second), NotAfter: time.Now().Add(lasts),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key, a.key)
	if err != nil {
		return nil, err
	}
	return encode("CERTIFICATE", der), nil
}

// Issue returns a certificate and its new private key, both in PEM.
func (a *Authority) Issue(t testing.TB, id string, lasts time.Duration) (cert, key []byte) {
	t.Helper()
	public, private := newKey(t)
	cert, err := a.Sign(id, public, lasts)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return cert, encode("PRIVATE KEY", der)
}

// Write issues a certificate, and writes it, its key and the trust anchor to files in a new
// directory.
func (a *Authority) Write(t testing.TB, id string, lasts time.Duration) (cert, key, ca string) {
	t.Helper()
	dir := t.TempDir()
	cert, key, ca = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")
	certPEM, keyPEM := a.Issue(t, id, lasts)
	for name, text := range map[string][]byte{cert: certPEM, key: keyPEM, ca: a.PEM()} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, ca
}

func newKey(t testing.TB) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return public, private
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
