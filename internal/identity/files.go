package identity

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// Files are PEM files. Whoever replaces them need not do so at once: a pair that does not fit together is not taken.
type Files struct {
	Cert string // the certificate, and after it those between it and an anchor; the first has a SPIFFE id
	Key  string // its private key, in PKCS #8
	CA   string // the trust anchors
}

// OpenFiles returns a source of what the files hold, which follows their changes.
func OpenFiles(f Files, log *slog.Logger) (*Source, error) {
	from := &files{names: f}
	first, err := from.read(x509Material{})
	if err != nil {
		return nil, err
	}
	return newSource(from, first, log), nil
}

func newSource(from provider, first x509Material, log *slog.Logger) *Source {
	s := &Source{provider: from, current: first, hasCertificate: make(chan struct{}), log: log.With(slog.String("component", "identity"))}
	if first.svid != nil {
		close(s.hasCertificate)
	}
	return s
}

// files provides what files hold. It belongs to one goroutine.
type files struct {
	names Files
	taken [3][]byte // what the present papers were made from
}

func (f *files) fetch(_ context.Context, have x509Material) (x509Material, error) {
	return f.read(have)
}

func (f *files) read(have x509Material) (x509Material, error) {
	var read [3][]byte
	for i, name := range []string{f.names.Cert, f.names.Key, f.names.CA} {
		var err error
		if read[i], err = os.ReadFile(name); err != nil {
			return have, err
		}
	}
	if have.svid != nil && bytes.Equal(read[0], f.taken[0]) && bytes.Equal(read[1], f.taken[1]) && bytes.Equal(read[2], f.taken[2]) {
		return have, nil
	}
	svid, err := x509svid.Parse(read[0], read[1])
	if err != nil {
		return have, fmt.Errorf("%s and %s: %w", f.names.Cert, f.names.Key, err)
	}
	got := x509Material{svid: svid}
	if got.anchors, err = parseCerts(read[2]); err != nil {
		return have, fmt.Errorf("%s: %w", f.names.CA, err)
	}
	if err := got.verify(); err != nil {
		return have, fmt.Errorf("%s is not good for those who trust %s: %w", f.names.Cert, f.names.CA, err)
	}
	f.taken = read
	return got, nil
}

// parseAnchors returns the certificates in text, of which there is at least one.
func parseCerts(text []byte) (anchors, error) {
	var all anchors
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, cert)
	}
	if len(all) == 0 {
		return nil, errors.New("it holds no certificate in PEM")
	}
	return all, nil
}
