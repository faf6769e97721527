package nodecmd

import (
	"flag"
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
