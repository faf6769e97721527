package app

import (
	"cmp"
	"context"
	"log/slog"
	"strings"

	"carillon/internal/dispatch"
	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/scheduler"
	"carillon/internal/store/pebblestore"
)

// openSingleCore opens the store of a single node and builds the engine and the service on it. No
// other process may have the store open.
func openSingleCore(cfg Config, log *slog.Logger) (core, error) {
	cfg.Store.CacheBytes = cmp.Or(cfg.Store.CacheBytes, cfg.Memory.Cache)
	cfg.Store.MemTableBytes = cmp.Or(cfg.Store.MemTableBytes, cfg.Memory.MemTable)
	cfg.Store.MaxFiles = cmp.Or(cfg.Store.MaxFiles, cfg.Descriptors.Files)
	st, err := pebblestore.Open(cfg.Store, log)
	if err != nil {
		return core{}, err
	}
	cfg.Engine.Full = st.Full
	d := dispatch.New(cfg.Dispatch)
	e := engine.New(cfg.Engine, st, d, log)
	cfg.Scheduler.Quota.Count = e.Usage
	service := scheduler.New(cfg.Scheduler, e, d, log)
	reporter := newNodeReporter(cfg, e, d)
	reporter.service, reporter.disk = service, st.DiskUsage
	return core{
		progress: func(ctx context.Context, keys []job.Key) ([]engine.DueProgress, []string, error) {
			all, err := localProgress(ctx, e, d, keys)
			return all, nil, err
		},
		nodes: soleNode{reporter, strings.Join(cfg.Scheduler.Hosts, ",")},
		store: st, engine: e, jobs: e, service: service,
		served: d.Connected, base: []component{st.Wait}, checks: []check{e.Health},
	}, nil
}
