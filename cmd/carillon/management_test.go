package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"carillon/internal/exit"
	"carillon/internal/identity/identitytest"
	"carillon/internal/logtest"
)

// TestManagementAPIOverTLS runs a scheduler whose management API has a certificate, and asks it.
func TestManagementAPIOverTLS(t *testing.T) {
	t.Parallel()
	ca := identitytest.NewAuthority(t).For(net.IPv4(127, 0, 0, 1))
	cert, key, anchors := ca.Write(t, "spiffe://localhost/ns/default/carillon", time.Hour)
	tokens := filepath.Join(t.TempDir(), "tokens")
	must(t, os.WriteFile(tokens, []byte("ci 3nough-random-characters viewer\n"), 0o600))
	token := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(token, []byte("3nough-random-characters\n"), 0o600))
	d := startScheduler(t, "--etcd-data-dir", t.TempDir(), "--management-port=0", "--management-listen-address=0.0.0.0",
		"--management-token-file", tokens, "--management-tls-cert-file", cert, "--management-tls-key-file", key)
	address := "127.0.0.1:" + portOf(t, d.address["management"])
	for _, c := range []struct {
		args string
		code int
		said string
	}{
		{"--server https://" + address + " --server-ca-file " + anchors + " --token-file " + token, exit.OK, "[]\n"},
		{"--server https://" + address + " --server-ca-file " + anchors, exit.Failed, "needs a token"},
		{"--server https://" + address + " --token-file " + token, exit.Failed, "give its CA certificates with --server-ca-file"},
		{"--server http://" + address + " --token-file " + token, exit.Failed, "if the server has TLS, name it with https"},
	} {
		if code, said := carry(t, strings.Fields("job list --output json "+c.args)...); code != c.code || !strings.Contains(said, c.said) {
			t.Errorf("job list %s ends with %d and says %q, want %d and %q", c.args, code, said, c.code, c.said)
		}
	}
	d.stop(t, syscall.SIGTERM)
	if said := d.said.String(); strings.Contains(said, "tokens of the management API") {
		t.Errorf("it warns of a plaintext port:\n%s", said)
	}
}

// TestWatchSurvivesARestart restarts a scheduler while a command watches its jobs, and ends the
// command with Ctrl-C.
func TestWatchSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := startScheduler(t, "--etcd-data-dir", dir, "--management-port=0")
	port := portOf(t, d.address["management"])
	var out, errs logtest.Page
	watcher := self(t, "job", "list", "--output", "json", "--watch", "--interval", "500ms", "--server", "http://127.0.0.1:"+port)
	watcher.Stdout, watcher.Stderr = &out, &errs
	must(t, watcher.Start())
	says := func(page *logtest.Page, text string) {
		t.Helper()
		waitFor(t, text, func() bool { return strings.Contains(page.String(), text) })
	}
	says(&out, "[]\n")
	d.schedule(t.Context(), t, "first")
	says(&out, "/jobs/first")
	d.stop(t, syscall.SIGTERM)
	says(&errs, "no management server answers at http://127.0.0.1:"+port)
	d = startSchedulerAs(t, func(*exec.Cmd) {}, "--etcd-data-dir", dir, "--management-port="+port)
	says(&errs, "the server answers again")
	d.schedule(t.Context(), t, "second")
	says(&out, "/jobs/second")
	must(t, watcher.Process.Signal(os.Interrupt))
	if err := watcher.Wait(); err != nil {
		t.Errorf("Ctrl-C ends it with %v: %s", err, errs.String())
	}
	if n := strings.Count(errs.String(), "\n"); n != 2 {
		t.Errorf("it says %d lines, want two:\n%s", n, errs.String())
	}
}
