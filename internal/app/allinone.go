package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"

	"google.golang.org/grpc/test/bufconn"

	"carillon/internal/job"
	"carillon/internal/limits"
	"carillon/internal/scheduler"
	"carillon/internal/sidecar"
)

// errNoCluster is the error of an all-in-one node that is configured as a node of a cluster.
var errNoCluster = errors.New("an all-in-one node cannot be part of a cluster: it has a store of its own")

// memoryBuffer is how many bytes an in-memory connection buffers in each direction.
const memoryBuffer = 64 << 10

// AllInOneConfig configures an all-in-one node. The node sets Scheduler.Hosts and, of Sidecar,
// Schedulers, Check, Connected and Shutdown: a client that requests a shutdown stops the node as if
// the context of Run had ended.
type AllInOneConfig struct {
	Config
	Sidecar sidecar.Config
	// OnForcedShutdown is called when a client requests a forced shutdown: the process must end at
	// once, without waiting for the node. It is called from its own goroutine, perhaps more than
	// once. If it is nil, the node stops as in any other shutdown.
	OnForcedShutdown func()
}

// AllInOneListeners are the listeners of an all-in-one node.
type AllInOneListeners struct {
	HTTP, GRPC []net.Listener // the jobs API
	Scheduler  []net.Listener // the Scheduler service, for other sidecars; at least one
	Management []net.Listener // the management API
}

// Close closes those that are open.
func (l AllInOneListeners) Close() error {
	return closeAll(slices.Concat(l.HTTP, l.GRPC, l.Scheduler, l.Management)...)
}

// OpenAllInOne builds a node with a scheduler and a sidecar, which calls apps through dialApp. The node
// owns the listeners; if OpenAllInOne returns an error, they are closed.
func OpenAllInOne(cfg AllInOneConfig, l AllInOneListeners, dialApp sidecar.Dialer, log *slog.Logger) (*Node, error) {
	n := &allInOneNode{
		cfg: cfg, listeners: l, dialApp: dialApp, log: log,
		memory: bufconn.Listen(memoryBuffer), shutdown: make(chan struct{}),
	}
	if err := n.open(); err != nil {
		return nil, errors.Join(err, n.listeners.Close())
	}
	return &Node{store: n.core.store, components: n.components()}, nil
}

// allInOneNode has the parts of an all-in-one node.
type allInOneNode struct {
	cfg       AllInOneConfig
	listeners AllInOneListeners
	dialApp   sidecar.Dialer
	log       *slog.Logger

	memory   *bufconn.Listener // connects the node's own sidecar to the Scheduler service
	shutdown chan struct{}     // closed when a client has requested a shutdown
	sidecar  *sidecar.Sidecar
	core     core
}

// open prepares the listeners, builds the sidecar, and opens the core.
func (n *allInOneNode) open() (err error) {
	n.limitConns()
	n.configureSidecar()
	n.sidecar, err = sidecar.New(sidecarDefaults(n.cfg.Sidecar, n.cfg.Memory, n.cfg.Descriptors), sidecar.Dialers{
		App:       n.dialApp,
		Scheduler: func(ctx context.Context, _ string) (net.Conn, error) { return n.memory.DialContext(ctx) },
	}, n.log)
	if err != nil {
		return err
	}
	if n.cfg.Cluster != nil {
		return errNoCluster
	}
	n.core, err = openCore(n.cfg.Config, n.log)
	return err
}

// limitConns limits the connections of each listener.
func (n *allInOneNode) limitConns() {
	l := &n.listeners
	limit := divideConns(n.cfg.Descriptors, maxAPIConns, len(l.HTTP)+len(l.GRPC)+len(l.Scheduler), len(l.Management))
	l.Scheduler = limitAll(limit.main, n.log, l.Scheduler)
	for i, one := range l.Scheduler {
		l.Scheduler[i] = limits.AcceptRate(one, schedulerConnRate)
	}
	l.HTTP, l.GRPC = limitAll(limit.main, n.log, l.HTTP), limitAll(limit.main, n.log, l.GRPC)
	l.Management = limitAll(limit.monitor, n.log, l.Management)
}

// configureSidecar connects the sidecar to the scheduler of the node. The sidecar uses the core only
// while it runs.
func (n *allInOneNode) configureSidecar() {
	hosts := []string{n.listeners.Scheduler[0].Addr().String()}
	n.cfg.Sidecar.Schedulers, n.cfg.Scheduler.Hosts = hosts, hosts
	n.cfg.Sidecar.Check = func() error { return runChecks(n.core.checks) }
	n.cfg.Sidecar.Connected = func(t job.Target) bool { return n.core.served(t) }
	requestShutdown := sync.OnceFunc(func() { close(n.shutdown) })
	n.cfg.Sidecar.Shutdown = func(byForce bool) {
		if byForce && n.cfg.OnForcedShutdown != nil {
			n.cfg.OnForcedShutdown()
			return
		}
		requestShutdown()
	}
}

// components returns the components of the node, in the order in which they start.
func (n *allInOneNode) components() []component {
	all := append(n.core.base, n.core.engine.Run)
	n.cfg.Hosts = n.cfg.Sidecar.Hosts
	all = append(all, serveManagement(n.cfg.Config, n.core, n.listeners.Management, n.log)...)
	all = append(all, n.serveOwnSidecar)
	for _, l := range n.listeners.Scheduler {
		all = append(all, n.serveScheduler(l))
	}
	return append(all, n.serveSidecar, n.awaitShutdown)
}

// serveOwnSidecar is the component of the Scheduler service for the node's own sidecar.
func (n *allInOneNode) serveOwnSidecar(ctx context.Context) error {
	return n.core.service.Run(ctx, n.memory)
}

// serveScheduler returns the component of the Scheduler service for other sidecars on l.
func (n *allInOneNode) serveScheduler(l net.Listener) component {
	return func(ctx context.Context) error {
		logListening(ctx, n.log, l)
		return n.core.service.Run(ctx, l, scheduler.Keepalive())
	}
}

// serveSidecar is the component of the sidecar.
func (n *allInOneNode) serveSidecar(ctx context.Context) error {
	return n.sidecar.Run(ctx, sidecar.Listeners{HTTP: n.listeners.HTTP, GRPC: n.listeners.GRPC})
}

// awaitShutdown is a component that returns when a client has requested a shutdown. Then the node stops.
func (n *allInOneNode) awaitShutdown(ctx context.Context) error {
	select {
	case <-n.shutdown:
	case <-ctx.Done():
	}
	return nil
}
