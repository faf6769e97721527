// Package etcdtest runs etcd for tests: a real member in this process that does not sync its disk, or
// a [Memory].
package etcdtest

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"carillon/internal/store/etcdmember"
)

// Config returns the configuration of a single member with a new directory, free loopback ports and
// etcd's default limits. Its leases last at least a second. It skips the test unless
// CARILLON_TEST_ETCD is set, as make cluster does: leases expire in real time, and would be lost on a
// machine that is busy with other tests.
func Config(t testing.TB) etcdmember.Config {
	t.Helper()
	if os.Getenv("CARILLON_TEST_ETCD") == "" {
		t.Skip("it runs etcd, in real time: make cluster runs it, alone")
	}
	return etcdmember.Config{
		Name: "m", Dir: filepath.Join(t.TempDir(), "data"), NoSync: true, Client: free(t), Peer: free(t),
		MaxTxnOps: 128, MaxRequestBytes: 3 << 19,
		Heartbeat: 20 * time.Millisecond, Election: 200 * time.Millisecond,
	}
}

// free returns a free loopback address.
func free(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// Run runs the member until the test ends or stop returns. It returns the endpoints of its clients.
func Run(t testing.TB, cfg etcdmember.Config) (endpoints []string, stop func()) {
	t.Helper()
	m, err := etcdmember.New(cfg, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := m.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return []string{cfg.Client}, stop
}
