package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"

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
	var private []*net.Listener
	for _, all := range [][]net.Listener{l.HTTP, l.GRPC, l.Internal} {
		for i := range all {
			private = append(private, &all[i])
		}
	}
	ports, err := deferPorts(cfg.Identity, log, private...)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	ports.onOpen, cfg.Sidecar.Await = cfg.OnListening, ports.wait
	limit := divideConns(cfg.Descriptors, maxAPIConns, len(l.HTTP)+len(l.GRPC), len(l.Public)+len(l.Internal)+1)
	l.HTTP, l.GRPC = limitAll(limit.main, log, l.HTTP), limitAll(limit.main, log, l.GRPC)
	l.Public, l.Internal = limitAll(limit.monitor, log, l.Public), limitAll(limit.monitor, log, l.Internal)
	limitConns(limit.monitor, log, &l.Metrics)
	var stages []stage
	if l.Metrics != nil {
		metrics := newRegistry()
		cfg.Sidecar.Metrics = metrics
		if cfg.Identity != nil {
			registerExpiry(metrics, cfg.Identity)
		}
		stages = append(stages, serveHTTP("metrics", metricsHandler(metrics, log), l.Metrics, cfg.Sidecar.Hosts, log))
	}
	if cfg.Identity != nil {
		stages = append(stages, cfg.Identity.Run)
	}
	side, err := sidecar.New(sidecarDefaults(cfg.Sidecar, cfg.Memory, cfg.Descriptors), cfg.Dialers, log)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &Node{stages: append(stages, func(ctx context.Context) error { return side.Run(ctx, l.Listeners) })}, nil
}

// sidecarDefaults returns c with its unset limits set from the budgets of memory and descriptors.
func sidecarDefaults(c sidecar.Config, m memory.Shares, d descriptors.Shares) sidecar.Config {
	c.MaxAppConns = cmp.Or(c.MaxAppConns, d.Apps)
	c.MaxCallBytes = cmp.Or(c.MaxCallBytes, m.SidecarCalls)
	c.MaxTriggerBytes = cmp.Or(c.MaxTriggerBytes, m.SidecarTriggers)
	return c
}
