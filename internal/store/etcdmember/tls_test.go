package etcdmember

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate writes a certificate for the address, and its key, to files.
func certificate(t *testing.T, at net.IP) TLS {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{at}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := TLS{CertFile: filepath.Join(dir, "cert"), KeyFile: filepath.Join(dir, "key"), CAFile: filepath.Join(dir, "cert")}
	for name, b := range map[string]*pem.Block{files.CertFile: {Type: "CERTIFICATE", Bytes: der}, files.KeyFile: {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestUnusableCertificateIsRefused(t *testing.T) {
	good := certificate(t, net.IPv4(10, 0, 0, 1))
	broken := errors.New("nobody signs it")
	waits := good
	waits.Ready = func(context.Context) error { return broken }
	ready := false
	signed := good
	signed.Ready = func(context.Context) error { ready = true; return nil }
	for _, c := range []struct {
		tls  *TLS
		at   string
		want string // "" takes it
	}{
		{nil, "https://10.0.0.2:1", ""},
		{&good, "https://10.0.0.1:1", ""},
		{&signed, "https://10.0.0.1:1", ""},
		{&good, "https://10.0.0.2:1", "is not valid for 10.0.0.2"},
		{&good, "http://10.0.0.2:1", ""},
		{&TLS{CertFile: "none"}, "https://10.0.0.1:1", "the certificate for its peers"},
		{&waits, "https://10.0.0.1:1", "nobody signs it"},
	} {
		err := Config{Name: "a", Peers: map[string]string{"a": c.at}, TLS: c.tls}.waitTLS(t.Context())
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("with %+v at %s: %v, want %q", c.tls, c.at, err, c.want)
		}
	}
	if !ready {
		t.Error("it was not waited for a certificate")
	}
}

func TestMembersUseTLS(t *testing.T) {
	good := certificate(t, net.IPv4(127, 0, 0, 1))
	c, err := good.client()
	if err != nil || len(c.Certificates) != 1 || c.RootCAs.Equal(x509.NewCertPool()) {
		t.Fatalf("a client of a member has %+v, %v", c, err)
	}
	for _, bad := range []TLS{{CertFile: good.CertFile, KeyFile: "none", CAFile: good.CAFile}, {CertFile: good.CertFile, KeyFile: good.KeyFile, CAFile: "none"}} {
		if c, err := bad.client(); err == nil {
			t.Errorf("without a file a client of a member has %+v", c)
		}
	}
}
