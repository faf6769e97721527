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
}

// Close closes those that are open.
func (l AllInOneListeners) Close() error {
	return closeAll(slices.Concat(l.HTTP, l.GRPC, l.Scheduler)...)
}

// OpenAllInOne builds a node with a scheduler and a sidecar, which calls apps through dialApp. The node
// owns the listeners; if OpenAllInOne returns an error, they are closed.
func OpenAllInOne(cfg AllInOneConfig, l AllInOneListeners, dialApp sidecar.Dialer, log *slog.Logger) (*Node, error) {
	limit := divideConns(cfg.Descriptors, maxAPIConns, len(l.HTTP)+len(l.GRPC)+len(l.Scheduler), 0)
	l.Scheduler = limitAll(limit.main, log, l.Scheduler)
	for i, one := range l.Scheduler {
		l.Scheduler[i] = limits.AcceptRate(one, schedulerConnRate)
	}
	l.HTTP, l.GRPC = limitAll(limit.main, log, l.HTTP), limitAll(limit.main, log, l.GRPC)
	memory := bufconn.Listen(memoryBuffer) // connects the node's own sidecar to the Scheduler service
	hosts := []string{l.Scheduler[0].Addr().String()}
	cfg.Sidecar.Schedulers, cfg.Scheduler.Hosts = hosts, hosts
	shutdown := make(chan struct{}) // closed when a client has requested a shutdown
	requestShutdown := sync.OnceFunc(func() { close(shutdown) })
	cfg.Sidecar.Shutdown = func(byForce bool) {
		if byForce && cfg.OnForcedShutdown != nil {
			cfg.OnForcedShutdown()
			return
		}
		requestShutdown()
	}
	var c core // is set below, before the sidecar runs
	cfg.Sidecar.Check = func() error { return runChecks(c.checks) }
	cfg.Sidecar.Connected = func(t job.Target) bool { return c.served(t) }
	side, err := sidecar.New(sidecarDefaults(cfg.Sidecar, cfg.Memory, cfg.Descriptors), sidecar.Dialers{
		App:       dialApp,
		Scheduler: func(ctx context.Context, _ string) (net.Conn, error) { return memory.DialContext(ctx) },
	}, log)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if cfg.Cluster != nil {
		return nil, errors.Join(errNoCluster, l.Close())
	}
	if c, err = openCore(cfg.Config, log); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	stages := append(c.base, c.engine.Run, func(ctx context.Context) error { return c.service.Run(ctx, memory) })
	for _, one := range l.Scheduler {
		stages = append(stages, func(ctx context.Context) error {
			logListening(ctx, log, one)
			return c.service.Run(ctx, one, scheduler.Keepalive())
		})
	}
	return &Node{store: c.store, stages: append(stages,
		func(ctx context.Context) error { return side.Run(ctx, sidecar.Listeners{HTTP: l.HTTP, GRPC: l.GRPC}) },
		func(ctx context.Context) error { // when this stage returns, the node stops
			select {
			case <-shutdown:
			case <-ctx.Done():
			}
			return nil
		},
	)}, nil
}
