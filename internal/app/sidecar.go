package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/descriptors"
	"carillon/internal/identity"
	"carillon/internal/memory"
	"carillon/internal/sidecar"
)

// SidecarConfig configures a sidecar node. The node sets Sidecar.Metrics.
type SidecarConfig struct {
	Sidecar sidecar.Config
	// Identity renews the certificate of Sidecar.Credentials; nil in plaintext.
	Identity *identity.Source
	// Memory is the memory budget of each part of the node. Zero means the parts' own defaults.
	Memory memory.Shares
	// Descriptors is the budget of file descriptors of each part of the node. Zero means the
	// parts' own defaults.
	Descriptors descriptors.Shares
	// Dialers connect to apps and schedulers; nil ones use TCP.
	Dialers sidecar.Dialers
	// OnListening is called when all listeners are open, those that wait for a certificate
	// included. It may be nil.
	OnListening func(ctx context.Context)
}

// SidecarListeners are the listeners of a sidecar node.
type SidecarListeners struct {
	sidecar.Listeners
	Metrics net.Listener // nil: no metrics are served
}

// Close closes those that are open.
func (l SidecarListeners) Close() error {
	return closeAll(append(slices.Concat(l.HTTP, l.GRPC, l.Public, l.Internal), l.Metrics)...)
}

// OpenSidecar builds a sidecar node: a drop-in replacement for daprd, for apps with jobs. It has no
// store. The node owns the listeners; if OpenSidecar returns an error, they are closed.
//
// Metrics are served until the sidecar has stopped. If cfg has an identity without a certificate, only
// the metrics and the public listeners are open until there is one.
func OpenSidecar(cfg SidecarConfig, l SidecarListeners, log *slog.Logger) (*Node, error) {
	l.HTTP, l.GRPC, l.Internal = slices.Clone(l.HTTP), slices.Clone(l.GRPC), slices.Clone(l.Internal)
	n := &sidecarNode{cfg: cfg, listeners: l, log: log}
	if err := n.open(); err != nil {
		return nil, errors.Join(err, n.listeners.Close())
	}
	return &Node{components: n.components()}, nil
}

// sidecarNode has the parts of a sidecar node.
type sidecarNode struct {
	cfg       SidecarConfig
	listeners SidecarListeners
	metrics   *prometheus.Registry // nil: no metrics are served
	log       *slog.Logger

	sidecar *sidecar.Sidecar
}

// open prepares the listeners, and builds the sidecar.
func (n *sidecarNode) open() error {
	ports, err := deferPorts(n.cfg.Identity, n.log, n.private()...)
	if err != nil {
		return err
	}
	ports.onOpen, n.cfg.Sidecar.Await = n.cfg.OnListening, ports.wait
	n.limitConns()
	if n.listeners.Metrics != nil {
		n.metrics = newRegistry()
		n.cfg.Sidecar.Metrics = n.metrics
	}
	n.sidecar, err = sidecar.New(sidecarDefaults(n.cfg.Sidecar, n.cfg.Memory, n.cfg.Descriptors), n.cfg.Dialers, n.log)
	return err
}

// private returns the listeners that stay closed until there is a certificate.
func (n *sidecarNode) private() []*net.Listener {
	var private []*net.Listener
	for _, all := range [][]net.Listener{n.listeners.HTTP, n.listeners.GRPC, n.listeners.Internal} {
		for i := range all {
			private = append(private, &all[i])
		}
	}
	return private
}

// limitConns limits the connections of each listener.
func (n *sidecarNode) limitConns() {
	l := &n.listeners
	limit := divideConns(n.cfg.Descriptors, maxAPIConns, len(l.HTTP)+len(l.GRPC), len(l.Public)+len(l.Internal)+1)
	l.HTTP, l.GRPC = limitAll(limit.main, n.log, l.HTTP), limitAll(limit.main, n.log, l.GRPC)
	l.Public, l.Internal = limitAll(limit.monitor, n.log, l.Public), limitAll(limit.monitor, n.log, l.Internal)
	limitConns(limit.monitor, n.log, &l.Metrics)
}

// components returns the components of the node, in the order in which they start.
func (n *sidecarNode) components() []component {
	var all []component
	if n.metrics != nil {
		if n.cfg.Identity != nil {
			registerExpiry(n.metrics, n.cfg.Identity)
		}
		all = append(all, serveHTTP("metrics", metricsHandler(n.metrics, n.log), n.listeners.Metrics, n.cfg.Sidecar.Hosts, n.log))
	}
	if n.cfg.Identity != nil {
		all = append(all, n.cfg.Identity.Run)
	}
	return append(all, n.serveSidecar)
}

// serveSidecar is the component of the sidecar.
func (n *sidecarNode) serveSidecar(ctx context.Context) error {
	return n.sidecar.Run(ctx, n.listeners.Listeners)
}

// sidecarDefaults returns c with its unset limits set from the budgets of memory and descriptors.
func sidecarDefaults(c sidecar.Config, m memory.Shares, d descriptors.Shares) sidecar.Config {
	c.MaxAppConns = cmp.Or(c.MaxAppConns, d.Apps)
	c.MaxCallBytes = cmp.Or(c.MaxCallBytes, m.SidecarCalls)
	c.MaxTriggerBytes = cmp.Or(c.MaxTriggerBytes, m.SidecarTriggers)
	return c
}
