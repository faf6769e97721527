package main

import (
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"carillon/internal/identity/identitytest"
)

// refused checks that no process listens at these addresses.
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

// opens waits until a process listens at each address.
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

// freeAddress returns an address that no process uses.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// sentryAt runs a Sentry at an address until the test ends.
func sentryAt(t *testing.T, ca *identitytest.Authority, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	ca.Serve(t, l, "spiffe://localhost/ns/default/dapr-sentry", time.Hour)
}

// endsWell stops a process whose log may have errors.
func endsWell(t *testing.T, n *node) {
	t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := n.wait(); err != nil {
		t.Errorf("it ended with %v, want exit code 0", err)
	}
}

// closedPorts begins the log line with the ports that wait for a certificate.
const closedPorts = `msg="ports are closed until the node has a certificate"`

// startClosedScheduler starts a scheduler whose Sentry does not run yet. The test chooses the ports, because
// the log does not show them.
func startClosedScheduler(t *testing.T, ca *identitytest.Authority, sentry string) *daprd {
	t.Helper()
	anchors := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(anchors, ca.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	healthz, metrics := freeAddress(t), freeAddress(t)
	d := launchScheduler(t, func(*exec.Cmd) {}, closedPorts, "--tls-enabled", "--trust-anchors-file", anchors, "--sentry-address", sentry,
		"--etcd-data-dir", t.TempDir(), "--healthz-port", portOf(t, healthz), "--healthz-listen-address", "127.0.0.1",
		"--metrics-port", portOf(t, metrics), "--metrics-listen-address", "127.0.0.1")
	d.address = map[string]string{"scheduler": d.address["ports"], "healthz": healthz, "metrics": metrics}
	return d
}

// listens waits until a node logs that it listens, and checks that these addresses are open by then.
func (n *node) listens(t *testing.T, addresses ...string) {
	t.Helper()
	waitFor(t, "listening", func() bool { return strings.Contains(n.said.String(), "msg=listening ") })
	for _, address := range addresses {
		c, err := net.DialTimeout("tcp", address, patience)
		if err != nil {
			t.Errorf("it says that it listens: %v", err)
			continue
		}
		c.Close()
	}
	line := regexp.MustCompile(`msg=listening .*`).FindString(n.said.String())
	for _, address := range addresses {
		if !strings.Contains(line, "="+address+" ") && !strings.HasSuffix(line, "="+address) {
			t.Errorf("%s is not in %s", address, line)
		}
	}
}

func TestSchedulerPortIsClosedWithoutCertificate(t *testing.T) {
	t.Parallel()
	ca, sentry := identitytest.NewAuthority(t), freeAddress(t)
	d := startClosedScheduler(t, ca, sentry)
	port := d.address["scheduler"]
	for range 20 { // half a second of a real process, to which no fake time reaches
		refused(t, port)
		time.Sleep(25 * time.Millisecond)
	}
	if body := d.health(t, http.StatusServiceUnavailable); !strings.Contains(body, "there is no certificate yet") || !strings.Contains(body, sentry) {
		t.Errorf("health says %q, want that there is no certificate, and which Sentry was asked", body)
	}
	if status, _ := d.get(t, "metrics", "/"); status != http.StatusOK {
		t.Errorf("metrics: %d", status)
	}
	if said := d.said.String(); strings.Contains(said, "listening") || strings.Contains(said, "api is ready") {
		t.Errorf("the log says %s", said)
	}
	refused(t, port)
	sentryAt(t, ca, sentry)
	d.listens(t, port, d.address["healthz"], d.address["metrics"])
	d.health(t, http.StatusOK)
	endsWell(t, d.node)
	if said := d.said.String(); !strings.Contains(said, "Dapr Scheduler listening on: "+port) {
		t.Errorf("the log says %s", said)
	}
}

func TestSchedulerStopsWithoutCertificate(t *testing.T) {
	t.Parallel()
	d := startClosedScheduler(t, identitytest.NewAuthority(t), freeAddress(t))
	d.health(t, http.StatusServiceUnavailable)
	endsWell(t, d.node)
	if said := d.said.String(); strings.Contains(said, "listening") {
		t.Errorf("the log says %s", said)
	}
}

func TestSidecarPortsAreClosedWithoutCertificate(t *testing.T) {
	t.Parallel()
	ca, sentry := identitytest.NewAuthority(t), freeAddress(t)
	public, metrics := freeAddress(t), freeAddress(t)
	s := launchSidecar(t, []string{"DAPR_TRUST_ANCHORS=" + string(ca.PEM())}, closedPorts, "--enable-mtls", "--sentry-address", sentry,
		"--dapr-public-port", portOf(t, public), "--dapr-public-listen-address=127.0.0.1", "--metrics-port", portOf(t, metrics))
	closed := s.ports(t)
	for range 20 { // as of a scheduler
		refused(t, closed...)
		time.Sleep(25 * time.Millisecond)
	}
	if status, body := ask(t, http.DefaultClient, http.MethodGet, public, "/v1.0/healthz", ""); status != http.StatusInternalServerError || !strings.Contains(body, "security-provider") {
		t.Errorf("public health: %d %s", status, body)
	}
	if status, _ := ask(t, http.DefaultClient, http.MethodGet, metrics, "/metrics", ""); status != http.StatusOK {
		t.Errorf("metrics: %d", status)
	}
	said := s.said.String()
	for _, line := range []string{"msg=listening", "api is ready", "Internal gRPC server is running", "API gRPC server is running", "HTTP server is running on port " + portOf(t, closed[0])} {
		if strings.Contains(said, line) {
			t.Errorf("the log says %q", line)
		}
	}
	if !strings.Contains(said, "ask Sentry at "+sentry) {
		t.Errorf("the log does not say why: %s", said)
	}
	refused(t, closed...)
	sentryAt(t, ca, sentry)
	s.listens(t, closed[0], closed[1], public, metrics)
	opens(t, closed...)
	s.health(t, http.StatusNoContent, "")
	s.stop(t, syscall.SIGTERM)
}

// ports returns the ports that a sidecar logs as closed: HTTP, gRPC and internal.
func (s *carilloned) ports(t *testing.T) []string {
	t.Helper()
	all := s.address["ports"]
	if len(all) != 3 {
		t.Fatalf("the closed ports are %v, want three", all)
	}
	s.address["http"], s.address["grpc"] = all[:1], all[1:2]
	return all
}

func TestSidecarWithoutCertificateLeavesNoSocket(t *testing.T) {
	t.Parallel()
	ca, dir := identitytest.NewAuthority(t), t.TempDir()
	s := launchSidecar(t, []string{"DAPR_TRUST_ANCHORS=" + string(ca.PEM())}, closedPorts, "--enable-mtls", "--sentry-address", freeAddress(t), "--unix-domain-socket", dir)
	refused(t, s.ports(t)...)
	s.stop(t, syscall.SIGTERM)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
