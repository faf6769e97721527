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

// A SidecarConfig is what an operator may choose of a sidecar node. Its metrics are the node's to collect.
type SidecarConfig struct {
	Sidecar sidecar.Config
	// Identity keeps what the sidecar's credentials show up to date, if it has any.
	Identity *identity.Source
	// Memory is what each part of the node may have of the memory. Zero leaves it to their own defaults.
	Memory memory.Shares
	// Descriptors is how many file descriptors each part of the node may have open. Zero leaves it to their own defaults.
	Descriptors descriptors.Shares
	// Dialers say how apps and schedulers are reached; over TCP if they are nil.
	Dialers sidecar.Dialers
	// Opened is called once all of the node's listeners are open; it may be nil. A port that is closed until there is a
	// certificate is open then.
	Opened func(ctx context.Context)
}

// SidecarListeners are where a sidecar node can be reached.
type SidecarListeners struct {
	sidecar.Listeners
	Metrics net.Listener // nil if nobody is to see them
}

// Close closes those that are open.
func (l SidecarListeners) Close() error {
	return closeAll(append(slices.Concat(l.HTTP, l.GRPC, l.Public, l.Internal), l.Metrics)...)
}

// OpenSidecar builds a node that takes over the listeners and is what daprd is to an app that has jobs. It keeps
// nothing. Metrics are served until the sidecar has ended. With an identity that has no certificate yet, only they and the
// public listeners are open until there is one. If it returns an error, the listeners are closed.
func OpenSidecar(cfg SidecarConfig, l SidecarListeners, log *slog.Logger) (*Node, error) {
	l.HTTP, l.GRPC, l.Internal = slices.Clone(l.HTTP), slices.Clone(l.GRPC), slices.Clone(l.Internal)
	var private []*net.Listener
	for _, all := range [][]net.Listener{l.HTTP, l.GRPC, l.Internal} {
		for i := range all {
			private = append(private, &all[i])
		}
	}
	late, err := closeUntil(cfg.Identity, log, private...)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	late.opened, cfg.Sidecar.Await = cfg.Opened, late.await
	most := divideConns(cfg.Descriptors, maxAPIConns, len(l.HTTP)+len(l.GRPC), len(l.Public)+len(l.Internal)+1)
	l.HTTP, l.GRPC = boundedAll(most.main, log, l.HTTP), boundedAll(most.main, log, l.GRPC)
	l.Public, l.Internal = boundedAll(most.watcher, log, l.Public), boundedAll(most.watcher, log, l.Internal)
	bounded(most.watcher, log, &l.Metrics)
	var stages []stage
	if l.Metrics != nil {
		metrics := newRegistry()
		cfg.Sidecar.Metrics = metrics
		if cfg.Identity != nil {
			showExpiry(metrics, cfg.Identity)
		}
		stages = append(stages, serveHTTP("metrics", metricsOf(metrics, log), l.Metrics, cfg.Sidecar.Hosts, log))
	}
	if cfg.Identity != nil {
		stages = append(stages, cfg.Identity.Run)
	}
	side, err := sidecar.New(fitSidecar(cfg.Sidecar, cfg.Memory, cfg.Descriptors), cfg.Dialers, log)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &Node{stages: append(stages, func(ctx context.Context) error { return side.Run(ctx, l.Listeners) })}, nil
}

// fitSidecar returns c with what it leaves open set to its share of the memory, and of the file descriptors.
func fitSidecar(c sidecar.Config, m memory.Shares, d descriptors.Shares) sidecar.Config {
	c.MaxAppConns = cmp.Or(c.MaxAppConns, d.Apps)
	c.MaxCallBytes = cmp.Or(c.MaxCallBytes, m.SidecarCalls)
	c.MaxTriggerBytes = cmp.Or(c.MaxTriggerBytes, m.SidecarTriggers)
	return c
}
