package app

import (
	"context"
	"log/slog"
	"maps"
	"net"

	"carillon/internal/dispatch"
	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/management"
)

// serveManagement returns a component for each listener, which serves the management API.
func serveManagement(cfg Config, c core, all []net.Listener, log *slog.Logger) (components []component) {
	s := management.New(management.Config{
		Jobs: c.engine, Progress: c.progress, Cluster: c.nodes, Tokens: cfg.Management.Tokens,
		Certificate: cfg.Management.Certificate, Hosts: cfg.Hosts, Now: cfg.Engine.Now,
	}, log)
	for _, l := range all {
		components = append(components, func(ctx context.Context) error { return s.Run(ctx, l) })
	}
	return components
}

// localProgress returns how far each of the jobs has got on this node. It adds what the receivers
// take, and which triggers the dispatcher holds.
func localProgress(ctx context.Context, e *engine.Engine, d *dispatch.Dispatcher, keys []job.Key) ([]engine.DueProgress, error) {
	all, err := e.Progress(ctx, keys)
	known := map[job.Target]engine.Receivers{}
	delivered := map[job.Target][]job.Key{}
	for i := range all {
		target := keys[i].Target
		if _, ok := known[target]; !ok {
			known[target] = receivers(d, target)
		}
		all[i].Receivers = known[target]
		switch {
		case all[i].Holdup == engine.HoldupParked && all[i].Receivers == engine.ReceiversAbsent:
			all[i].Holdup = engine.HoldupNoReceiver
		case all[i].Holdup == engine.HoldupInFlight:
			delivered[target] = append(delivered[target], keys[i])
		}
	}
	held := map[job.Key]bool{}
	for target, some := range delivered {
		maps.Copy(held, d.Held(target, some))
	}
	for i := range all {
		if all[i].Holdup == engine.HoldupInFlight && held[keys[i]] {
			all[i].Holdup = engine.HoldupConcurrency
		}
	}
	return all, err
}

// receivers returns what the receivers of a target take.
func receivers(d *dispatch.Dispatcher, target job.Target) engine.Receivers {
	switch {
	case !d.Connected(target):
		return engine.ReceiversAbsent
	case !d.HasCapacity(target):
		return engine.ReceiversFull
	}
	return engine.ReceiversReady
}
