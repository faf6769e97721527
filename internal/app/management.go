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

// serveManagement returns a stage for each listener, which serves the management API.
func serveManagement(cfg Config, c core, all []net.Listener, log *slog.Logger) (stages []stage) {
	s := management.New(management.Config{
		Jobs: c.engine, Progress: c.progress, Tokens: cfg.Management.Tokens, Hosts: cfg.Hosts, Now: cfg.Engine.Now,
	}, log)
	for _, l := range all {
		stages = append(stages, func(ctx context.Context) error { return s.Run(ctx, l) })
	}
	return stages
}

// localProgress returns how far each of the jobs has got on this node, which are due. It tells
// receivers that take nothing more from receivers that are absent.
func localProgress(ctx context.Context, e *engine.Engine, d *dispatch.Dispatcher, keys []job.Key) ([]engine.DueProgress, error) {
	all, err := e.Progress(ctx, keys)
	for i := range all {
		if all[i].Holdup == engine.HoldupParked && !d.Connected(keys[i].Target) {
			all[i].Holdup = engine.HoldupNoReceiver
		}
	}
	return all, err
}
