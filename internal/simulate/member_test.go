package simulate_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"carillon/internal/cluster"
	"carillon/internal/cluster/clustertest"
	"carillon/internal/dispatch"
	"carillon/internal/engine"
	"carillon/internal/engine/record"
	"carillon/internal/forward"
	"carillon/internal/scheduler"
	"carillon/internal/store/pebblestore"
)

// found creates the etcd of a cluster. It lasts until the returned function is called.
func (w *world) found(ctx context.Context) (end func()) {
	st, err := pebblestore.Open(pebblestore.Config{Dir: "etcd", FS: vfs.NewMem(), NoTickers: true, CacheBytes: 1 << 20}, w.log)
	if err != nil {
		panic(err)
	}
	w.etcd = clustertest.NewAgreement(w.program.partitions, lease, st)
	w.running.Go(func() { expireLeases(ctx, w.etcd) })
	return func() {
		if err := st.Close(); err != nil {
			panic(err)
		}
	}
}

// etcdConn returns the connection of a node to etcd; nil without a cluster. A power cut may precede each
// request.
func (m *host) etcdConn(n *node) *etcdConn {
	if m.world.etcd == nil {
		return nil
	}
	return &etcdConn{etcd: m.world.etcd, running: &m.world.running, up: m.up, down: m.down, over: m.world.over, dead: &n.dead, sent: func() {
		if n.cutIn.Add(-1) == 0 {
			(*n.cutNow.Load())()
		}
	}}
}

// sufferApart lets go wrong, between a node and the etcd, what would be wrong with the disk of a node alone. It returns
// nil if f is nothing of that kind.
func (m *host) sufferApart(n *node, f faultProgram) (mend func()) {
	switch f.kind {
	case powerCut:
		cut := func() { n.cut(f, "request "+strconv.Itoa(f.n)+" to etcd") }
		n.cutNow.Store(&cut)
		n.cutIn.Store(int64(f.n))
		return func() {}
	case slowDisk:
		d := time.Duration(f.n) * time.Millisecond / 2
		m.up.slow(d)
		m.down.slow(d)
		return func() { m.up.slow(0); m.down.slow(0) }
	case hungDisk:
		up, down := m.up.cut(), m.down.cut()
		return func() { up(); down() }
	case fullDisk, noSpace:
		return m.up.cut()
	case badWrites, badReads:
		return m.down.cut()
	default:
		return nil
	}
}

// A member is what makes a node one of a cluster. Without a router it is none.
type member struct {
	node        *node
	engine      *engine.Engine
	dispatch    *dispatch.Dispatcher
	router      *forward.Router
	coordinator cluster.Coordinator
	log         *slog.Logger
}

func (c *member) join(o *etcdConn, log *slog.Logger) {
	c.coordinator, c.log = o, log
	c.router = forward.New(forward.Config{ID: c.node.host.address, Dial: c.dial}, c.engine, log)
}

// secret is what other nodes show this one; another one in each life.
func (c *member) secret() string { return "life " + strconv.Itoa(c.node.life) }

// dial connects to another node.
func (c *member) dial(address string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	who := c.node.host.address
	return grpc.NewClient("passthrough:///"+address, append(options,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			if c.node.dead.Load() {
				return nil, errDead
			}
			return c.node.world.dial(ctx, who, address)
		}),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 2 * time.Second, Backoff: quickBackoff}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second, PermitWithoutStream: true}),
		grpc.WithIdleTimeout(0),
	)...)
}

func (c *member) health() error { return errors.Join(c.engine.Health(), c.router.Health()) }

// run runs serve until ctx ends; for a node of a cluster with its membership, which ends before, and its router, which
// ends after it. What it starts besides lasts as long as steady at most.
func (c *member) run(ctx, steady context.Context, s *scheduler.Service, serve func(context.Context)) {
	if c.router == nil {
		serve(ctx)
		return
	}
	routing, stopRouting := context.WithCancel(steady)
	serving, stopServing := context.WithCancel(steady)
	var router, service sync.WaitGroup
	router.Go(func() { _ = c.router.Run(routing) })
	service.Go(func() { serve(serving) })
	cfg := cluster.Config{
		Node:         cluster.Node{ID: c.node.host.address, Addr: c.node.host.address, Secret: c.secret(), Format: record.Format},
		RunPartition: c.own,
		OnView: func(v cluster.View) {
			var addresses []string
			for _, m := range v.Members {
				addresses = append(addresses, m.Addr)
			}
			c.router.Follow(v)
			s.SetHosts(addresses)
			if index, of, ok := v.Place(c.node.host.address); ok {
				c.dispatch.SetShare(dispatch.Share{Nodes: of, Index: index})
			}
		},
	}
	if err := cluster.Run(ctx, cfg, c.coordinator, c.log); err != nil {
		panic(err)
	}
	stopServing()
	service.Wait()
	stopRouting()
	router.Wait()
}

// own has the engine keep a partition, and writes down when it does.
func (c *member) own(ctx context.Context, partition int, claim cluster.Claim) {
	h, life := c.node.world.history, c.node.life
	c.engine.RunPartition(ctx, partition, claimProbe{claim, h, life, partition})
	h.add(event{what: letsGo, life: life, partition: partition, text: "of partition " + strconv.Itoa(partition)})
}

// A fuse is when the power of a node of a cluster is cut.
type fuse struct {
	cutIn  atomic.Int64 // requests to the etcd from now on
	cutNow atomic.Pointer[func()]
}
