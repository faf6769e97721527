package main

import (
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"carillon/internal/identity/identitytest"
)

// refused holds that nobody listens at these addresses.
func refused(t *testing.T, addresses ...string) {
	t.Helper()
	for _, address := range addresses {
		network := "tcp"
		if strings.HasPrefix(address, "/") {
			network = "unix"
		}
		c, err := net.DialTimeout(network, address, patience)
		if err == nil {
			c.Close()
		}
		if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ENOENT) {
			t.Errorf("a connection to %s: %v, want it refused", address, err)
		}
	}
}

// opens waits until somebody listens at these addresses.
func opens(t *testing.T, addresses ...string) {
	t.Helper()
	for _, address := range addresses {
		for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			c, err := net.Dial("tcp", address)
			if err == nil {
				c.Close()
				break
			}
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
	}
}

// freeAddress is one that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// sentryAt runs a Sentry at that address until the test ends.
func sentryAt(t *testing.T, ca *identitytest.Authority, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	ca.Serve(t, l, "spiffe://localhost/ns/default/dapr-sentry", time.Hour)
}

// endsWell stops a process that has had reasons for errors in its log.
func endsWell(t *testing.T, n *node) {
	t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := n.wait(); err != nil {
		t.Errorf("it ended with %v, want exit code 0", err)
	}
}

func TestSchedulerPortIsClosedUntilThereIsACertificate(t *testing.T) {
	t.Parallel()
	ca, sentry, anchors := identitytest.NewAuthority(t), freeAddress(t), filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(anchors, ca.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	d := startScheduler(t, "--tls-enabled", "--trust-anchors-file", anchors, "--sentry-address", sentry, "--etcd-data-dir", t.TempDir())
	port := d.address["scheduler"]
	for range 20 {
		refused(t, port)
		time.Sleep(25 * time.Millisecond)
	}
	if body := d.health(t, http.StatusServiceUnavailable); !strings.Contains(body, "there is no certificate yet") || !strings.Contains(body, sentry) {
		t.Errorf("health says %q, want that there is no certificate, and which Sentry was asked", body)
	}
	if status, _ := d.get(t, "metrics", "/"); status != http.StatusOK {
		t.Errorf("metrics: %d", status)
	}
	if said := d.said.String(); strings.Contains(said, "Dapr Scheduler listening") || strings.Contains(said, "api is ready") || !strings.Contains(said, "ports are closed until there is a certificate") {
		t.Errorf("the log says %s", said)
	}
	refused(t, port)
	sentryAt(t, ca, sentry)
	d.health(t, http.StatusOK)
	opens(t, port)
	endsWell(t, d.node)
	if said := d.said.String(); !strings.Contains(said, "Dapr Scheduler listening on: "+port) {
		t.Errorf("the log says %s", said)
	}
}

func TestSchedulerWithoutACertificateStops(t *testing.T) {
	t.Parallel()
	anchors := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(anchors, identitytest.NewAuthority(t).PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	d := startScheduler(t, "--tls-enabled", "--trust-anchors-file", anchors, "--sentry-address", freeAddress(t), "--etcd-data-dir", t.TempDir())
	d.health(t, http.StatusServiceUnavailable)
	endsWell(t, d.node)
}

func TestPortsOfASidecarAreClosedUntilThereIsACertificate(t *testing.T) {
	t.Parallel()
	ca, sentry := identitytest.NewAuthority(t), freeAddress(t)
	_, internal, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	s := startSidecar(t, []string{"DAPR_TRUST_ANCHORS=" + string(ca.PEM())}, "--enable-mtls", "--sentry-address", sentry,
		"--dapr-public-port=0", "--dapr-public-listen-address=127.0.0.1", "--dapr-internal-grpc-port="+internal)
	closed := append(append([]string{"127.0.0.1:" + internal}, s.address["http"]...), s.address["grpc"]...)
	for range 20 {
		refused(t, closed...)
		time.Sleep(25 * time.Millisecond)
	}
	if status, body := ask(t, http.DefaultClient, http.MethodGet, s.address["public"][0], "/v1.0/healthz", ""); status != http.StatusInternalServerError || !strings.Contains(body, "security-provider") {
		t.Errorf("public health: %d %s", status, body)
	}
	if status, _ := ask(t, http.DefaultClient, http.MethodGet, s.address["metrics"][0], "/metrics", ""); status != http.StatusOK {
		t.Errorf("metrics: %d", status)
	}
	said := s.said.String()
	for _, line := range []string{"api is ready", "Internal gRPC server is running", "API gRPC server is running", "HTTP server is running on port " + portOf(t, s.address["http"][0])} {
		if strings.Contains(said, line) {
			t.Errorf("the log says %q", line)
		}
	}
	if !strings.Contains(said, "ports are closed until there is a certificate") || !strings.Contains(said, "ask Sentry at "+sentry) {
		t.Errorf("the log does not say why: %s", said)
	}
	refused(t, closed...)
	sentryAt(t, ca, sentry)
	opens(t, closed...)
	s.health(t, http.StatusNoContent, "")
	s.stop(t, syscall.SIGTERM)
}

func TestSidecarWithoutACertificateStopsAndLeavesNoSocket(t *testing.T) {
	t.Parallel()
	ca, dir := identitytest.NewAuthority(t), t.TempDir()
	s := startSidecar(t, []string{"DAPR_TRUST_ANCHORS=" + string(ca.PEM())}, "--enable-mtls", "--sentry-address", freeAddress(t), "--unix-domain-socket", dir)
	refused(t, s.address["http"][0], s.address["grpc"][0])
	s.stop(t, syscall.SIGTERM)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
