package main

import (
	"flag"
	"net"
	"testing"

	"carillon/internal/schedulercmd"
	"carillon/internal/sidecarcmd"
)

// TestPortsListenWhereSECURITYSays checks the default listen addresses against the table in SECURITY.md.
func TestPortsListenWhereSECURITYSays(t *testing.T) {
	const everywhere, everywhereIPv4 = "", "0.0.0.0"
	ofScheduler, ofSidecar := schedulercmd.Flags(), sidecarcmd.Flags()
	for _, at := range []struct {
		flags         *flag.FlagSet
		name, address string
	}{
		{ofScheduler, "listen-address", everywhere},
		{ofScheduler, "healthz-listen-address", everywhere},
		{ofScheduler, "metrics-listen-address", everywhere}, // that of --listen-address, or 0.0.0.0
		{ofScheduler, "etcd-client-listen-address", "localhost"},
		{ofScheduler, "management-listen-address", ""}, // loopback
		{ofSidecar, "dapr-listen-addresses", everywhere},
		{ofSidecar, "dapr-public-listen-address", everywhere},
		{ofSidecar, "dapr-public-port", ""},   // no port
		{ofSidecar, "unix-domain-socket", ""}, // no socket
		{ofSidecar, "dapr-internal-grpc-listen-address", "127.0.0.1"},
		{ofSidecar, "metrics-listen-address", everywhereIPv4},
	} {
		if f := at.flags.Lookup(at.name); f == nil || f.DefValue != at.address {
			t.Errorf("--%s of %s is %v, want %q", at.name, at.flags.Name(), f, at.address)
		}
	}
}

func TestNoPortServesProfiles(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := portOf(t, l.Addr().String())
	l.Close()
	startSidecar(t, nil, "--enable-profiling", "--profile-port="+port, "--dapr-internal-grpc-port=0")
	if conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
		conn.Close()
		t.Error("a process listens on --profile-port")
	}
}
