package identity

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// Files are PEM files. They need not be replaced atomically: a certificate is used only with its
// matching key.
type Files struct {
	Cert string // the certificate with a SPIFFE id, followed by intermediate certificates
	Key  string // its private key, in PKCS #8
	CA   string // the trust anchors
}

// OpenFiles returns a source of the certificate in the files, which it reloads when they change.
func OpenFiles(f Files, log *slog.Logger) (*Source, error) {
	from := &fileProvider{names: f}
	first, err := from.read(x509Material{})
	if err != nil {
		return nil, err
	}
	return newSource(from, first, log), nil
}

// fileProvider is the provider of material in files. It belongs to one goroutine.
type fileProvider struct {
	names Files
	taken [3][]byte // contents of the files of the current material
}

func (f *fileProvider) fetch(_ context.Context, have x509Material) (x509Material, error) {
	return f.read(have)
}

func (f *fileProvider) read(have x509Material) (x509Material, error) {
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
		return have, fmt.Errorf("the certificate in %s does not verify with the trust anchors in %s: %w", f.names.Cert, f.names.CA, err)
	}
	f.taken = read
	return got, nil
}
