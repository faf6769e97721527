package management

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A Certificate is the TLS certificate of the server, in two files. They are read again when they
// change; files that cannot be used change nothing, and are an error in the log. They need not be
// replaced at once: a certificate is used only with its own key. It is safe for concurrent use.
type Certificate struct {
	certFile, keyFile string

	mu      sync.Mutex // guards the fields below
	pair    *tls.Certificate
	checked time.Time
	read    keyPair // the files that were read last
}

// A keyPair is the contents of both files.
type keyPair struct{ cert, key []byte }

func (p keyPair) equal(q keyPair) bool {
	return bytes.Equal(p.cert, q.cert) && bytes.Equal(p.key, q.key)
}

// OpenCertificate reads a certificate, with intermediate certificates behind it, and its private
// key, both in PEM.
func OpenCertificate(certFile, keyFile string) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile}
	read, pair, err := c.load()
	if err != nil {
		return nil, err
	}
	c.read, c.pair = read, pair
	return c, nil
}

// load reads the files. pair is nil if they have not changed.
func (c *Certificate) load() (read keyPair, pair *tls.Certificate, err error) {
	if read.cert, err = os.ReadFile(c.certFile); err == nil {
		read.key, err = os.ReadFile(c.keyFile)
	}
	if err != nil {
		return keyPair{}, nil, fmt.Errorf("read the certificate: %w", err)
	}
	if c.pair != nil && read.equal(c.read) {
		return read, nil, nil
	}
	p, err := tls.X509KeyPair(read.cert, read.key)
	if err != nil {
		return read, nil, fmt.Errorf("%s and %s: %w", c.certFile, c.keyFile, err)
	}
	return read, &p, nil
}

// current returns the certificate, read again if a file has changed.
func (c *Certificate) current(ctx context.Context, log *slog.Logger) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.checked) < recheck {
		return c.pair
	}
	c.checked = now
	read, pair, err := c.load()
	switch {
	case err != nil && !read.equal(c.read):
		log.LogAttrs(ctx, slog.LevelError, "the certificate of the management API cannot be used; the last one stays in use", slog.Any("err", err))
	case pair != nil:
		c.pair = pair
		log.LogAttrs(ctx, slog.LevelInfo, "the management API has a new certificate", slog.Time("expires", pair.Leaf.NotAfter))
	}
	c.read = read // so that files that cannot be used are logged once
	return c.pair
}

// config returns the TLS configuration of the server.
func (c *Certificate) config(log *slog.Logger) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current(hello.Context(), log), nil
		},
	}
}
