package app

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/limits"
	"carillon/internal/scheduler"
)

// SchedulerListeners are the listeners of a scheduler node.
type SchedulerListeners struct {
	Scheduler net.Listener // the Scheduler service
	Health    net.Listener // GET /healthz
	Metrics   net.Listener // nil: no metrics are served

	Management []net.Listener // the management API
}

// Close closes those that are open.
func (l SchedulerListeners) Close() error {
	return closeAll(append([]net.Listener{l.Scheduler, l.Health, l.Metrics}, l.Management...)...)
}

// OpenScheduler builds a scheduler node: a drop-in replacement for Dapr's Scheduler service. The node
// owns the listeners; if OpenScheduler returns an error, they are closed.
//
// Health and metrics are served until the engine has stopped. If cfg has an identity without a
// certificate, the port of the Scheduler service is closed until there is one.
func OpenScheduler(cfg Config, l SchedulerListeners, log *slog.Logger) (*Node, error) {
	n := &schedulerNode{cfg: cfg, listeners: l, metrics: newRegistry(), log: log}
	if err := n.open(); err != nil {
		return nil, errors.Join(err, n.listeners.Close())
	}
	return &Node{store: n.core.store, components: n.components()}, nil
}

// schedulerNode has the parts of a scheduler node.
type schedulerNode struct {
	cfg       Config
	listeners SchedulerListeners
	metrics   *prometheus.Registry
	log       *slog.Logger

	ports *deferredPorts
	core  core
	ready readiness
}

// open prepares the listeners, and opens the core.
func (n *schedulerNode) open() (err error) {
	n.ports, err = deferPorts(n.cfg.Scheduler.Identity, n.log, &n.listeners.Scheduler)
	if err != nil {
		return err
	}
	n.ports.onOpen = n.onListening
	n.limitConns()
	n.cfg.Engine.Metrics, n.cfg.Dispatch.Metrics, n.cfg.Scheduler.Metrics = n.metrics, n.metrics, n.metrics
	n.core, err = openCore(n.cfg, n.log)
	return err
}

// onListening reports that all listeners are open.
func (n *schedulerNode) onListening(ctx context.Context) {
	if n.cfg.OnListening != nil {
		n.cfg.OnListening(ctx)
	}
	logListening(ctx, n.log, n.listeners.Scheduler)
}

// limitConns limits the connections of each listener.
func (n *schedulerNode) limitConns() {
	l := &n.listeners
	limit := divideConns(n.cfg.Descriptors, maxSchedulerConns, 1, 2+len(l.Management))
	limitConns(limit.main, n.log, &l.Scheduler)
	l.Scheduler = limits.AcceptRate(l.Scheduler, schedulerConnRate)
	limitConns(limit.monitor, n.log, &l.Health, &l.Metrics)
	l.Management = limitAll(limit.monitor, n.log, l.Management)
}

// components returns the components of the node, in the order in which they start.
func (n *schedulerNode) components() []component {
	checks := append(n.core.checks, n.ready.check, n.ports.check)
	var all []component
	if source := n.cfg.Scheduler.Identity; source != nil {
		registerExpiry(n.metrics, source)
		checks = append(checks, source.Check)
		all = append(all, source.Run) // an etcd member needs the certificate until it has stopped
	}
	all = append(all, n.core.base...)
	if n.listeners.Metrics != nil {
		all = append(all, serveHTTP("metrics", metricsHandler(n.metrics, n.log), n.listeners.Metrics, n.cfg.Hosts, n.log))
	}
	health := healthWith([]func() string{n.core.engine.Note}, checks...)
	all = append(all, serveHTTP("health", health, n.listeners.Health, n.cfg.Hosts, n.log))
	all = append(all, n.core.engine.Run)
	all = append(all, n.core.forward...)
	all = append(all, serveManagement(n.cfg, n.core, n.listeners.Management, n.log)...)
	all = append(all, n.serveScheduler)
	if n.cfg.Namespaces != nil {
		all = append(all, n.deleteNamespaces)
	}
	all = append(all, n.core.cluster...)
	return append(all, n.ready.run, logWhenReady(checks, n.log))
}

// serveScheduler is the component of the Scheduler service. It waits until the port may open.
func (n *schedulerNode) serveScheduler(ctx context.Context) error {
	err := n.ports.wait(ctx)
	switch {
	case ctx.Err() != nil: // the component was stopped
		return n.listeners.Scheduler.Close()
	case err != nil:
		return errors.Join(err, n.listeners.Scheduler.Close())
	}
	return n.core.service.Run(ctx, n.listeners.Scheduler, scheduler.Keepalive())
}

// deleteNamespaces is the component that deletes the jobs of deleted namespaces.
func (n *schedulerNode) deleteNamespaces(ctx context.Context) error {
	return n.cfg.Namespaces.Run(ctx, n.core.deleteNamespace)
}
