package kubernetes

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
)

// A Config says where the API server is, and what is shown to it.
type Config struct {
	// Kubeconfig is a file that says so, in place of all below.
	Kubeconfig string

	// Host is its host:port, over HTTPS.
	Host string
	// TokenFile has the token of a service account that may get, list and watch namespaces.
	TokenFile string
	// CAFile has the certificates that the API server is verified by, in PEM.
	CAFile string

	// Dial connects to an address; nil is TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Check returns what is wrong with the kubeconfig, if there is to be one, and the files that it names.
func (c Config) Check() error {
	if c.Kubeconfig == "" {
		return nil
	}
	_, err := c.access()
	return err
}

// An access is the way to an API server, and what is shown to it.
type access struct {
	server string // its URL
	tls    *tls.Config
	token  string // if there is one
	proxy  *url.URL
}

// access reads it anew.
func (c Config) access() (access, error) {
	if c.Kubeconfig != "" {
		return readKubeconfig(c.Kubeconfig)
	}
	token, err := read(c.TokenFile)
	if err != nil {
		return access{}, fmt.Errorf("the token of the service account: %w", err)
	}
	text, err := read(c.CAFile)
	if err != nil {
		return access{}, fmt.Errorf("the certificates of the API server: %w", err)
	}
	roots, err := pool(text, c.CAFile)
	if err != nil {
		return access{}, err
	}
	return access{
		server: "https://" + c.Host, token: string(bytes.TrimSpace(token)),
		tls: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}, nil
}

// pool returns the certificates that an API server is verified by.
func pool(text []byte, from string) (*x509.CertPool, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("the certificates of the API server: %s holds none", from)
	}
	return roots, nil
}

// maxFile is how much is read of a file, whichever it is.
const maxFile = 1 << 20

func read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxFile)
	}
	return text, err
}
