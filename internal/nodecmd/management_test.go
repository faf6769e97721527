package nodecmd

import (
	"flag"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
)

func TestManagementAddressBeyondLoopbackNeedsTokens(t *testing.T) {
	for address, needs := range map[string]bool{"": false, "127.0.0.1": false, "[::1]": false, "localhost": false, "0.0.0.0": true, "::": true, "10.0.0.1": true} {
		m := ManagementFlags{address: address}
		if _, err := m.Tokens(); (err != nil) != needs || needs && !strings.Contains(err.Error(), "--management-token-file") {
			t.Errorf("on %q: %v, want an error that names --management-token-file: %v", address, err, needs)
		}
	}
}

func TestOccupiedManagementPortIsReplacedUnlessGiven(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	var m ManagementFlags
	add := func(fs *flag.FlagSet) *flag.FlagSet {
		m.Flags(fs, func(v *ManagementPort, name, usage string) { fs.Var(v, name, usage) })
		return fs
	}
	add(flag.NewFlagSet("", flag.ContinueOnError))
	m.Port = port // as if it were the default
	all, err := m.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		if got := l.Addr().(*net.TCPAddr); got.Port == port || got.Port != m.Port || !got.IP.IsLoopback() {
			t.Errorf("it listens on %v, want another port of loopback than %d", got, port)
		}
		l.Close()
	}
	fs := add(flag.NewFlagSet("", flag.ContinueOnError))
	if err := fs.Parse([]string{"--management-port=" + strconv.Itoa(port)}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), "--management-port") {
		t.Errorf("an occupied port that was given: %v, want an error that names the flag", err)
	}
}

func TestManagementPortInPlaintextIsLogged(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for certFile, want := range map[string]bool{"": true, "cert.pem": false} {
		var text strings.Builder
		m := ManagementFlags{Port: defaultManagementPort, certFile: certFile}
		m.Warn(t.Context(), slog.New(slog.NewTextHandler(&text, nil)), []net.Listener{l})
		if got := strings.Contains(text.String(), "plaintext ports are reachable from other hosts"); got != want {
			t.Errorf("with the certificate %q: %s", certFile, &text)
		}
	}
}

func TestManagementCertificateNeedsBothFiles(t *testing.T) {
	for _, m := range []ManagementFlags{{certFile: "cert.pem"}, {keyFile: "key.pem"}, {certFile: "no/file", keyFile: "no/file"}} {
		if _, err := m.Certificate(); err == nil || !strings.Contains(err.Error(), "--management-tls-cert-file and --management-tls-key-file") {
			t.Errorf("%+v: %v, want an error that names both flags", m, err)
		}
	}
	if c, err := new(ManagementFlags).Certificate(); c != nil || err != nil {
		t.Errorf("without files: %v, %v", c, err)
	}
}
