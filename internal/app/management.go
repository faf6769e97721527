package app

import (
	"context"
	"log/slog"
	"net"

	"carillon/internal/dispatch"
	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/management"
)

// serveManagement returns a component for each listener, which serves the management API.
func serveManagement(cfg Config, c core, all []net.Listener, log *slog.Logger) (components []component) {
	s := management.New(management.Config{
		Jobs: c.engine, Progress: c.progress, Tokens: cfg.Management.Tokens, Hosts: cfg.Hosts, Now: cfg.Engine.Now,
	}, log)
	for _, l := range all {
		components = append(components, func(ctx context.Context) error { return s.Run(ctx, l) })
	}
	return components
}

// localProgress returns how far each of the jobs has got on this node. It adds what the receivers
// take.
func localProgress(ctx context.Context, e *engine.Engine, d *dispatch.Dispatcher, keys []job.Key) ([]engine.DueProgress, error) {
	all, err := e.Progress(ctx, keys)
	known := map[job.Target]engine.Receivers{}
	for i := range all {
		target := keys[i].Target
		if _, ok := known[target]; !ok {
			known[target] = receivers(d, target)
		}
		all[i].Receivers = known[target]
		if all[i].Holdup == engine.HoldupParked && all[i].Receivers == engine.ReceiversAbsent {
			all[i].Holdup = engine.HoldupNoReceiver
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
