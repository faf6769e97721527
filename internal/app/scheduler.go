package app

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"carillon/internal/limits"
	"carillon/internal/scheduler"
)

// SchedulerListeners are the listeners of a scheduler node.
type SchedulerListeners struct {
	Scheduler net.Listener // the Scheduler service
	Health    net.Listener // GET /healthz
	Metrics   net.Listener // nil: no metrics are served
}

// Close closes those that are open.
func (l SchedulerListeners) Close() error { return closeAll(l.Scheduler, l.Health, l.Metrics) }

// OpenScheduler builds a scheduler node: a drop-in replacement for Dapr's Scheduler service. The node
// owns the listeners; if OpenScheduler returns an error, they are closed.
//
// Health and metrics are served until the engine has stopped. If cfg has an identity without a
// certificate, the port of the Scheduler service is closed until there is one.
func OpenScheduler(cfg Config, l SchedulerListeners, log *slog.Logger) (*Node, error) {
	source := cfg.Scheduler.Identity
	ports, err := deferPorts(source, log, &l.Scheduler)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	ports.onOpen = func(ctx context.Context) {
		if cfg.OnListening != nil {
			cfg.OnListening(ctx)
		}
		logListening(ctx, log, l.Scheduler)
	}
	limit := divideConns(cfg.Descriptors, maxSchedulerConns, 1, 2)
	limitConns(limit.main, log, &l.Scheduler)
	l.Scheduler = limits.AcceptRate(l.Scheduler, schedulerConnRate)
	limitConns(limit.monitor, log, &l.Health, &l.Metrics)
	metrics := newRegistry()
	cfg.Engine.Metrics, cfg.Dispatch.Metrics, cfg.Scheduler.Metrics = metrics, metrics, metrics
	c, err := openCore(cfg, log)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	var ready readiness
	var stages []stage
	checks := append(c.checks, ready.check, ports.check)
	if source != nil { // the first stage: an etcd member needs the certificate until it has stopped
		stages, checks = append(stages, source.Run), append(checks, source.Check)
		registerExpiry(metrics, source)
	}
	stages = append(stages, c.base...)
	if l.Metrics != nil {
		stages = append(stages, serveHTTP("metrics", metricsHandler(metrics, log), l.Metrics, cfg.Hosts, log))
	}
	stages = append(stages,
		serveHTTP("health", healthWith([]func() string{c.engine.Note}, checks...), l.Health, cfg.Hosts, log), c.engine.Run)
	stages = append(stages, c.forward...)
	stages = append(stages, func(ctx context.Context) error {
		err := ports.wait(ctx)
		switch {
		case ctx.Err() != nil: // the stage was stopped
			return l.Scheduler.Close()
		case err != nil:
			return errors.Join(err, l.Scheduler.Close())
		}
		return c.service.Run(ctx, l.Scheduler, scheduler.Keepalive())
	})
	if ns := cfg.Namespaces; ns != nil {
		stages = append(stages, func(ctx context.Context) error { return ns.Run(ctx, c.deleteNamespace) })
	}
	stages = append(stages, c.cluster...)
	return &Node{store: c.store, stages: append(stages, ready.run, logWhenReady(checks, log))}, nil
}
