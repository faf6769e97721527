package nodecmd

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"

	"carillon/internal/identity"
)

// TLSFiles are the flags for a certificate in files.
type TLSFiles struct{ identity.Files }

// Flags adds the flags to fs.
func (f *TLSFiles) Flags(fs *flag.FlagSet) {
	fs.StringVar(&f.Cert, "tls-cert-file", "", "`file` with a certificate in PEM with a SPIFFE id, instead of one from Sentry; reloaded when it changes")
	fs.StringVar(&f.Key, "tls-key-file", "", "`file` with its private key, in PEM and PKCS #8")
	fs.StringVar(&f.CA, "tls-ca-file", "", "`file` with the trust anchors in PEM")
}

// Given reports whether the certificate is in files.
func (f *TLSFiles) Given() bool { return f.Cert != "" || f.Key != "" }

// Open returns the source of the certificate in the files.
func (f *TLSFiles) Open(log *slog.Logger) (*identity.Source, error) {
	if f.Cert == "" || f.Key == "" || f.CA == "" {
		return nil, errors.New("--tls-cert-file, --tls-key-file and --tls-ca-file belong together: give all three")
	}
	who, err := identity.OpenFiles(f.Files, log)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert-file, --tls-key-file and --tls-ca-file: %w", err)
	}
	return who, nil
}
