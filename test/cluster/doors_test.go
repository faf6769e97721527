//go:build linux

package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/identity/identitytest"
	"carillon/internal/peerv1"
)

const scheduler = "spiffe://localhost/ns/default/dapr-scheduler"

// TestEtcdUsesTheCertificateOfTheSchedulerPort has https in the list of members, as the chart of
// Dapr does, and no other certificate than the one for sidecars: from files, or from Sentry.
func TestEtcdUsesTheCertificateOfTheSchedulerPort(t *testing.T) {
	for name, flags := range map[string]func(t *testing.T, ca *identitytest.Authority) []string{
		"files": func(t *testing.T, ca *identitytest.Authority) []string {
			cert, key, authority := ca.Write(t, scheduler, time.Hour)
			return []string{"--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-file", authority}
		},
		"Sentry": func(t *testing.T, ca *identitytest.Authority) []string {
			l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ca.Serve(t, l, "spiffe://localhost/ns/default/dapr-sentry", time.Hour)
			_, _, authority := ca.Write(t, scheduler, time.Hour)
			return []string{"--tls-enabled", "--trust-anchors-file", authority, "--sentry-address", l.Addr().String()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ca := identitytest.NewAuthority(t)
			server := ca.For(net.IPv4(127, 0, 0, 1))
			c := prepare(t, 3, with(flags(t, server)...))
			with("--etcd-initial-cluster", c.members("https"))(c)
			for _, n := range c.nodes {
				n.start()
			}
			c.healthy()
			cert, key, authority := ca.Write(t, "spiffe://localhost/ns/default/one", time.Hour)
			one := c.sidecar("one", "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-file", authority)
			for i := range 9 {
				eventually(t, "a job is scheduled", func(ctx context.Context) error { return one.schedule(ctx, fmt.Sprint(i), time.Now()) })
			}
			eventually(t, "all jobs have come", func(context.Context) error {
				if n, such := c.ledger.missing(); n > 0 {
					return fmt.Errorf("%d are missing, such as %s", n, such)
				}
				return nil
			})
			for _, n := range c.nodes {
				n.wantLocked(ca, server)
			}
			copied := filepath.Join(c.nodes[0].dir, "carillon-tls")
			if name == "Sentry" {
				private(t, copied)
			}
			c.nodes[0].stop()
			if _, err := os.Stat(copied); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s after the node has stopped: %v, want that it is gone", copied, err)
			}
		})
	}
}

// private checks that a folder and its files are their user's only.
func private(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		files++
		return err
	})
	if err != nil || files != 3 {
		t.Errorf("%s holds %d files, %v; want 2 and itself", dir, files, err)
	}
}

// wantLocked checks that the peer port of the node answers nodes alone.
func (n *node) wantLocked(apps, nodes *identitytest.Authority) {
	t := n.c.t
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(apps.PEM())
	show := func(a *identitytest.Authority, id string) *tls.Config {
		cert, key := a.Issue(t, id, time.Hour)
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	for who, at := range map[string]struct {
		scheme string
		config *tls.Config
		may    bool
	}{
		"a node":                              {"https", show(nodes, scheduler), true},
		"an app of the same authority":        {"https", show(apps, "spiffe://localhost/ns/default/one"), false},
		"a node of another authority":         {"https", withRoots(show(identitytest.NewAuthority(t).For(net.IPv4(127, 0, 0, 1)), scheduler), pool), false},
		"somebody without a certificate":      {"https", &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, false},
		"somebody who speaks plaintext":       {"http", nil, false},
		"a node that speaks an old TLS, 1.2,": {"https", upTo12(show(nodes, scheduler)), false},
	} {
		got, err := get(t.Context(), at.config, fmt.Sprintf("%s://127.0.0.1:%d/members", at.scheme, n.peer))
		if may := err == nil && got == http.StatusOK; may != at.may {
			t.Errorf("node %s to %s: %d, %v; want that it answers: %v", n.id, who, got, err, at.may)
		}
	}
}

func withRoots(c *tls.Config, pool *x509.CertPool) *tls.Config {
	c.RootCAs = pool
	return c
}

func upTo12(c *tls.Config) *tls.Config {
	c.MaxVersion = tls.VersionTLS12
	return c
}

func get(ctx context.Context, config *tls.Config, url string) (code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tr := &http.Transport{TLSClientConfig: config}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// TestCertificateOfAnotherNodeIsRefusedAtStart has one that the other members would not take.
func TestCertificateOfAnotherNodeIsRefusedAtStart(t *testing.T) {
	cert, key, authority := identitytest.NewAuthority(t).Write(t, scheduler, time.Hour)
	c := prepare(t, 3, with("--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-file", authority))
	with("--etcd-initial-cluster", c.members("https"))(c)
	n := c.nodes[0]
	n.launch()
	if code := n.p.wait(t); code != 1 {
		t.Errorf("it ended with %d, want 1", code)
	}
	for _, want := range []string{"not valid for 127.0.0.1", "subjectAltName", cert} {
		if !strings.Contains(n.p.output(), want) {
			t.Errorf("it does not say %q", want)
		}
	}
}

// TestMembersMoveToHTTPSOneByOne restarts each node with another list of members, under load.
func TestMembersMoveToHTTPSOneByOne(t *testing.T) {
	long(t)
	t.Parallel()
	c := newCluster(t, 3)
	c.app("one")
	l := c.load(4, c.addresses, "one")
	time.Sleep(time.Second)
	cert := certify(t)
	for _, n := range c.nodes {
		n.stop()
		n.flags = append(append(n.flags, cert.flags()...), "--etcd-initial-cluster", c.members("https"))
		n.start()
		c.healthy()
		n.p.says(t, `announced a new address of this etcd member.*(https://127.0.0.1)`)
	}
	time.Sleep(time.Second)
	for _, n := range c.nodes { // all at once: they find one another at the new addresses
		n.stop()
	}
	for _, n := range c.nodes {
		n.start()
	}
	c.healthy()
	for _, n := range c.nodes {
		if got, err := get(t.Context(), nil, fmt.Sprintf("http://127.0.0.1:%d/members", n.peer)); err == nil && got == http.StatusOK {
			t.Errorf("node %s still answers its peers in plaintext", n.id)
		}
	}
	time.Sleep(time.Second)
	l.finish()
}

// TestClientCannotActAsNode speaks as nodes do, to a cluster without TLS.
func TestClientCannotActAsNode(t *testing.T) {
	c := newCluster(t, 2)
	for _, n := range c.nodes {
		conn, err := dial(n.address())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), callTime)
		defer cancel()
		if _, err := peerv1.NewPeerClient(conn).Apply(ctx, new(peerv1.ApplyRequest)); status.Code(err) != codes.PermissionDenied {
			t.Errorf("node %s: %v, want PermissionDenied", n.id, err)
		}
		said := n.p.output()
		if strings.Contains(said, "carillon-peer-secret") || strings.Contains(said, "Secret") {
			t.Errorf("node %s shows its secret in the log", n.id)
		}
	}
}
