package kubernetes

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"path/filepath"
)

// readKubeconfig returns the access in the current context of a kubeconfig. Paths in it are
// relative to it.
func readKubeconfig(name string) (access, error) {
	text, err := read(name)
	if err != nil {
		return access{}, fmt.Errorf("read the kubeconfig: %w", err)
	}
	c, u, err := parseKubeconfig(text)
	if err != nil {
		return access{}, fmt.Errorf("read the kubeconfig %s: %w", name, err)
	}
	a, err := c.access(filepath.Dir(name))
	if err != nil {
		return access{}, fmt.Errorf("read the cluster of the kubeconfig %s: %w", name, err)
	}
	if err := u.addTo(&a, filepath.Dir(name)); err != nil {
		return access{}, fmt.Errorf("read the user of the kubeconfig %s: %w", name, err)
	}
	return a, nil
}

// access returns the access to the API server of this cluster.
func (c kubeCluster) access(dir string) (a access, err error) {
	a.server = c.Server
	a.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if a.proxy, err = c.proxy(); err != nil {
		return a, err
	}
	if len(c.CA) == 0 && c.CAFile == "" {
		return a, nil // the system's CA certificates count, as with kubectl
	}
	text, from, err := either(c.CA, "certificate-authority-data", c.CAFile, dir)
	if err != nil {
		return a, fmt.Errorf("certificate-authority: %w", err)
	}
	a.tls.RootCAs, err = pool(text, from)
	return a, err
}

// addTo adds the credentials of this user to a.
func (u user) addTo(a *access, dir string) error {
	a.token = u.Token
	if u.TokenFile != "" { // has precedence over token, as with kubectl
		token, err := read(within(dir, u.TokenFile))
		if err != nil {
			return fmt.Errorf("tokenFile: %w", err)
		}
		if a.token = string(bytes.TrimSpace(token)); a.token == "" {
			return fmt.Errorf("tokenFile: %s is empty: write a token to it, or name another file", within(dir, u.TokenFile))
		}
	}
	if u.CertFile == "" && len(u.Cert) == 0 {
		return nil
	}
	cert, _, err := either(u.Cert, "", u.CertFile, dir)
	if err != nil {
		return fmt.Errorf("client-certificate: %w", err)
	}
	key, _, err := either(u.Key, "", u.KeyFile, dir)
	if err != nil {
		return fmt.Errorf("client-key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("client-certificate and client-key do not match or are not PEM: %w", err)
	}
	a.tls.Certificates = []tls.Certificate{pair}
	return nil
}

// either returns data, or else the contents of the file, and the name of the one that it returns.
func either(data []byte, name, file, dir string) (text []byte, from string, err error) {
	if len(data) > 0 {
		return data, name, nil
	}
	file = within(dir, file)
	text, err = read(file)
	return text, file, err
}

func within(dir, file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dir, file)
}
