package etcdmember

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"

	"carillon/internal/store/diskspace"
)

// Member is one member of an etcd cluster.
type Member struct {
	isExpected func(context.Context) bool  // reports whether an existing cluster expects the member
	waitTLS    func(context.Context) error // waits for a usable certificate
	config     *embed.Config
	log        *slog.Logger
	diskSpace  *diskspace.Watch
	heapSpace  *heapSpace

	kv      kv
	dataDir atomic.Pointer[dataDir]    // nil before the start
	running atomic.Pointer[embed.Etcd] // nil before the start

	stopping atomic.Bool   // errors of etcd are then expected
	failed   chan struct{} // closed once err is set
	once     sync.Once     // sets err
	err      error
}

// fail records why the member cannot continue. The first reason stays.
func (m *Member) fail(err error) {
	m.once.Do(func() {
		m.err = err
		close(m.failed)
	})
}

// KV returns the member's data for callers in this process, without a connection. Calls are
// Unavailable while the member does not serve. They end with their context, as over a connection: a
// failed member may hold its locks forever.
func (m *Member) KV() etcdserverpb.KVServer { return &m.kv }
