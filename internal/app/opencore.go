package app

import (
	"cmp"
	"log/slog"
)

// openCore sets the unset limits of cfg from the memory budget, and opens the core of a single node
// or of a node of a cluster.
func openCore(cfg Config, log *slog.Logger) (core, error) {
	cfg.Engine.MaxInFlight = cmp.Or(cfg.Engine.MaxInFlight, cfg.Memory.InFlight)
	cfg.Engine.MaxCommandBytes = cmp.Or(cfg.Engine.MaxCommandBytes, cfg.Memory.Bodies/2)
	cfg.Engine.MaxCommit = cmp.Or(cfg.Engine.MaxCommit, int(cfg.Memory.Commit))
	cfg.Scheduler.MaxBodyBytes = cmp.Or(cfg.Scheduler.MaxBodyBytes, cfg.Memory.Bodies)
	cfg.Scheduler.MaxListBytes = cmp.Or(cfg.Scheduler.MaxListBytes, cfg.Memory.Lists)
	cfg.Dispatch.MaxPayload = cmp.Or(cfg.Dispatch.MaxPayload, int(cfg.Memory.Payloads))
	if cfg.Cluster != nil {
		return openClusterCore(cfg, log)
	}
	return openSingleCore(cfg, log)
}
