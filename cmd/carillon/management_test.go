package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestManagementPortBeyondLoopbackNeedsTokens(t *testing.T) {
	said, err := self(t, "scheduler", "--etcd-data-dir", t.TempDir(), "--management-listen-address=0.0.0.0").CombinedOutput()
	if err == nil || !strings.Contains(string(said), "--management-token-file") {
		t.Errorf("the scheduler ended with %v\n%s\nwant that it needs --management-token-file", err, said)
	}
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("a a-token-of-somebody viewer\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := startScheduler(t, "--etcd-data-dir", t.TempDir(), "--management-listen-address=0.0.0.0", "--management-token-file", file)
	if got := statusFor(t, d.address["management"], "/v1/namespaces/ns/jobs", "localhost"); got != 401 {
		t.Errorf("a call without a token: %d, want 401", got)
	}
}

func TestOccupiedManagementPortIsReplacedUnlessGiven(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	std, _, _ := nowhere()
	fs, c := schedulerFlags()
	if err := parseFlags(fs, schedulerUsage, nil, std); err != nil {
		t.Fatal(err)
	}
	c.management.port = port // as if it were the default
	all, err := c.management.listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		if got := l.Addr().(*net.TCPAddr); got.Port == port || !got.IP.IsLoopback() {
			t.Errorf("it listens on %v, want another port of loopback than %d", got, port)
		}
		l.Close()
	}
	fs, c = schedulerFlags()
	if err := parseFlags(fs, schedulerUsage, []string{"--management-port=" + strconv.Itoa(port)}, std); err != nil {
		t.Fatal(err)
	}
	if _, err := c.management.listen(t.Context()); err == nil || !strings.Contains(err.Error(), "--management-port") {
		t.Errorf("an occupied port that was given: %v, want an error that names the flag", err)
	}
}
