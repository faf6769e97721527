package main

import (
	"flag"
	"net"
	"testing"
)

// TestPortsListenWhereSECURITYSays checks the default listen addresses against the table in SECURITY.md.
func TestPortsListenWhereSECURITYSays(t *testing.T) {
	const everywhere, everywhereIPv4 = "", "0.0.0.0"
	ofScheduler, _ := schedulerFlags()
	ofSidecar, _ := sidecarFlags()
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
	for peer, want := range map[string]string{
		"http://10.0.0.1:2380": "http://10.0.0.1:2380", "https://a.sched:2380": "https://0.0.0.0:2380", "http://localhost:2380": "http://localhost:2380",
	} {
		members := etcdConfig{cluster: list{"a=" + peer}}
		all, err := members.members()
		if err != nil {
			t.Fatal(err)
		}
		if got := listenFor(all["a"]); got != want {
			t.Errorf("a member that others find at %s listens at %s, want %s", peer, got, want)
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
