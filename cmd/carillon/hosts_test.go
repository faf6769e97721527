package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// statusFor returns the status of a GET over loopback with this Host header.
func statusFor(t *testing.T, address, path, host string) int {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, host); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// TestHTTPPortsRejectForeignHosts sends requests to each HTTP port of each role over loopback, as a browser
// could.
func TestHTTPPortsRejectForeignHosts(t *testing.T) {
	allow := "--allowed-hosts=gateway.example"
	d := startScheduler(t, "--etcd-data-dir", t.TempDir(), allow)
	d.health(t, http.StatusOK)
	s := startSidecar(t, nil, "--dapr-public-port=0", "--dapr-public-listen-address=127.0.0.1", allow)
	s.health(t, http.StatusNoContent, "")
	n := startNode(t, "--data-dir", t.TempDir(), allow)
	for name, port := range map[string]struct{ address, path string }{
		"the API of a sidecar":     {s.address["http"][0], "/v1.0/metadata"},
		"the public port":          {s.address["public"][0], "/v1.0/metadata"},
		"metrics of a sidecar":     {s.address["metrics"][0], "/metrics"},
		"the API of a dev node":    {strings.TrimPrefix(n.api, "http://"), "/v1.0/metadata"},
		"health of a scheduler":    {d.address["healthz"], "/healthz"},
		"metrics of a scheduler":   {d.address["metrics"], "/"},
		"the management API":       {d.address["management"], "/openapi.json"},
		"metrics at another path,": {d.address["metrics"], "/debug/pprof/"},
	} {
		for host, want := range map[string]int{
			"localhost": 200, "LOCALHOST.:1": 200, "127.0.0.1:80": 200, "[::1%25lo]:3500": 200, "gateway.example:3500": 200,
			"mac.local": 403, "mac.local:3500": 403, "evil.example": 403, "app.localhost": 403, "sidecar:3500": 403, "2130706433": 403, "a.gateway.example": 403,
		} {
			if got := statusFor(t, port.address, port.path, host); got != want {
				t.Errorf("%s for %q: %d, want %d", name, host, got, want)
			}
		}
	}
}

func TestInvalidAllowedHostIsRefused(t *testing.T) {
	for role, args := range map[string][]string{
		"scheduler": {"scheduler", "--etcd-data-dir", t.TempDir(), "--allowed-hosts=*.local"},
		"sidecar":   {"sidecar", "--app-id=sub", "--allowed-hosts=*.local"},
		"dev":       {"dev", "--data-dir", t.TempDir(), "--allowed-hosts=*.local"},
	} {
		said, err := self(t, args...).CombinedOutput()
		if err == nil || !strings.Contains(string(said), "allowed-hosts") || !strings.Contains(string(said), "*.local") {
			t.Errorf("%s: %v\n%s", role, err, said)
		}
	}
}
