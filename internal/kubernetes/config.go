package kubernetes

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
)

// A Config is the API server and the credentials for it.
type Config struct {
	// Kubeconfig is a file with the server and the credentials. It replaces the fields below.
	Kubeconfig string

	// Host is the server's host:port, for HTTPS.
	Host string
	// TokenFile has the token of a service account that may get, list and watch namespaces.
	TokenFile string
	// CAFile has the CA certificates of the API server, in PEM.
	CAFile string

	// Dial connects to an address; nil means TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Check returns an error if the kubeconfig, or a file that it names, cannot be used.
func (c Config) Check() error {
	if c.Kubeconfig == "" {
		return nil
	}
	_, err := c.access()
	return err
}

// access reads the files of c.
func (c Config) access() (access, error) {
	if c.Kubeconfig != "" {
		return readKubeconfig(c.Kubeconfig)
	}
	token, err := read(c.TokenFile)
	if err != nil {
		return access{}, fmt.Errorf("read the token of the service account: %w", err)
	}
	text, err := read(c.CAFile)
	if err != nil {
		return access{}, fmt.Errorf("read the CA certificates of the API server: %w", err)
	}
	roots, err := pool(text, c.CAFile)
	if err != nil {
		return access{}, fmt.Errorf("read the CA certificates of the API server: %w", err)
	}
	return access{
		server: "https://" + c.Host, token: string(bytes.TrimSpace(token)),
		tls: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}, nil
}
