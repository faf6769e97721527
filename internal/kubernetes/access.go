package kubernetes

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/url"
	"os"
)

// access is the address of an API server and the credentials for it.
type access struct {
	server string // its URL
	tls    *tls.Config
	token  string // if there is one
	proxy  *url.URL
}

// pool parses the CA certificates of an API server. The name from is in its errors.
func pool(text []byte, from string) (*x509.CertPool, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no CA certificate of the API server in PEM", from)
	}
	return roots, nil
}

// maxFile is the maximum size of a file in bytes.
const maxFile = 1 << 20

// read returns the contents of a file of at most maxFile bytes.
func read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes, the maximum: name another file", name, maxFile)
	}
	return text, err
}
