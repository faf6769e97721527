package app

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"carillon/internal/limits"
	"carillon/internal/scheduler"
)

// SchedulerListeners are where a scheduler node can be reached.
type SchedulerListeners struct {
	Scheduler net.Listener // the Scheduler service
	Health    net.Listener // GET /healthz
	Metrics   net.Listener // nil if nobody is to see them
}

// Close closes those that are open.
func (l SchedulerListeners) Close() error { return closeAll(l.Scheduler, l.Health, l.Metrics) }

// OpenScheduler builds a node that takes over the listeners and is what Dapr's Scheduler service is to its sidecars and
// operators. Health and metrics are served for as long as the engine runs: one can watch it stop. With an identity that has
// no certificate yet, the port of the service is closed until there is one. If it returns an error, the listeners are
// closed.
func OpenScheduler(cfg Config, l SchedulerListeners, log *slog.Logger) (*Node, error) {
	who := cfg.Scheduler.Identity
	late, err := closeUntil(who, log, &l.Scheduler)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	late.opened = func(ctx context.Context) {
		if cfg.Opened != nil {
			cfg.Opened(ctx)
		}
		sayListening(ctx, log, l.Scheduler)
	}
	most := divideConns(cfg.Descriptors, maxSchedulerConns, 1, 2)
	bounded(most.main, log, &l.Scheduler)
	l.Scheduler = limits.AcceptRate(l.Scheduler, schedulerConnRate)
	bounded(most.watcher, log, &l.Health, &l.Metrics)
	metrics := newRegistry()
	cfg.Engine.Metrics, cfg.Dispatch.Metrics, cfg.Scheduler.Metrics = metrics, metrics, metrics
	c, err := openCore(cfg, log)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	var open gate
	var stages []stage
	checks := append(c.checks, open.check, late.check)
	if who != nil { // first, because a member of etcd needs it until it has stopped
		stages, checks = append(stages, who.Run), append(checks, who.Check)
		showExpiry(metrics, who)
	}
	stages = append(stages, c.base...)
	if l.Metrics != nil {
		stages = append(stages, serveHTTP("metrics", metricsOf(metrics, log), l.Metrics, cfg.Hosts, log))
	}
	stages = append(stages,
		serveHTTP("health", healthWith([]func() string{c.engine.Note}, checks...), l.Health, cfg.Hosts, log), c.engine.Run)
	stages = append(stages, c.forward...)
	stages = append(stages, func(ctx context.Context) error {
		err := late.await(ctx)
		switch {
		case ctx.Err() != nil: // it was stopped
			return l.Scheduler.Close()
		case err != nil:
			return errors.Join(err, l.Scheduler.Close())
		}
		return c.service.Run(ctx, l.Scheduler, scheduler.Keepalive())
	})
	if ns := cfg.Namespaces; ns != nil {
		stages = append(stages, func(ctx context.Context) error { return ns.Run(ctx, c.forget) })
	}
	stages = append(stages, c.cluster...)
	return &Node{store: c.store, stages: append(stages, open.run, sayReady(checks, log))}, nil
}
