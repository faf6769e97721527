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

// An AllInOneConfig is what an operator may choose of an all-in-one node. Its scheduler's hosts, and its sidecar's
// schedulers, check, connected and shutdown, are the node's to say: a client that asks for a shutdown ends the node in
// good order, as if the context of Run had ended.
type AllInOneConfig struct {
	Config
	Sidecar sidecar.Config
	// Forced is called, from a goroutine of its own and perhaps more than once, when a client has asked for a shutdown by
	// force: the process is to end at once, without the node. Where it is nil, the node ends in good order then, too.
	Forced func()
}

// AllInOneListeners are where an all-in-one node can be reached.
type AllInOneListeners struct {
	HTTP, GRPC []net.Listener // the jobs API
	Scheduler  []net.Listener // the Scheduler service, for other sidecars; at least one
}

// Close closes those that are open.
func (l AllInOneListeners) Close() error {
	return closeAll(slices.Concat(l.HTTP, l.GRPC, l.Scheduler)...)
}

// memoryBuffer is how many bytes a connection in memory holds in each direction before its writer waits.
const memoryBuffer = 64 << 10

// OpenAllInOne builds a node that takes over the listeners: a scheduler, and a sidecar that calls apps through dialApp.
// If it returns an error, the listeners are closed.
func OpenAllInOne(cfg AllInOneConfig, l AllInOneListeners, dialApp sidecar.Dialer, log *slog.Logger) (*Node, error) {
	most := divideConns(cfg.Descriptors, maxAPIConns, len(l.HTTP)+len(l.GRPC)+len(l.Scheduler), 0)
	l.Scheduler = boundedAll(most.main, log, l.Scheduler)
	for i, one := range l.Scheduler {
		l.Scheduler[i] = limits.AcceptRate(one, schedulerConnRate)
	}
	l.HTTP, l.GRPC = boundedAll(most.main, log, l.HTTP), boundedAll(most.main, log, l.GRPC)
	memory := bufconn.Listen(memoryBuffer) // on which the node's own sidecar finds the Scheduler service
	hosts := []string{l.Scheduler[0].Addr().String()}
	cfg.Sidecar.Schedulers, cfg.Scheduler.Hosts = hosts, hosts
	asked := make(chan struct{}) // closed when a client has asked for the end
	ask := sync.OnceFunc(func() { close(asked) })
	cfg.Sidecar.Shutdown = func(byForce bool) {
		if byForce && cfg.Forced != nil {
			cfg.Forced()
			return
		}
		ask()
	}
	var c core
	cfg.Sidecar.Check = func() error { return found(c.checks) } // which are there before the sidecar runs
	cfg.Sidecar.Connected = func(t job.Target) bool { return c.served(t) }
	side, err := sidecar.New(fitSidecar(cfg.Sidecar, cfg.Memory, cfg.Descriptors), sidecar.Dialers{
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
			sayListening(ctx, log, one)
			return c.service.Run(ctx, one, scheduler.Keepalive())
		})
	}
	return &Node{store: c.store, stages: append(stages,
		func(ctx context.Context) error { return side.Run(ctx, sidecar.Listeners{HTTP: l.HTTP, GRPC: l.GRPC}) },
		func(ctx context.Context) error { // a stage that ends ends the node
			select {
			case <-asked:
			case <-ctx.Done():
			}
			return nil
		},
	)}, nil
}
