// Package app builds a node from its configuration and runs it.
//
// A node is made of parts that are stopped in the reverse of the order in which they depend on one another: first
// whatever brings it calls; then the Scheduler service, which ends the streams; then the engine, which records what has
// been delivered; and last the store. When one part fails, all are stopped in that order, and the node ends with what it
// said.
//
// There is a file for each role. [OpenScheduler] makes the stand-in for Dapr's Scheduler service, [OpenSidecar] the one
// for daprd, and [OpenAllInOne] both in one process; the two then speak the same protocol as everywhere else, over
// connections in memory.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"

	"carillon/internal/crossorigin"
	"carillon/internal/descriptors"
	"carillon/internal/dispatch"
	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/kubernetes"
	"carillon/internal/memory"
	"carillon/internal/scheduler"
	"carillon/internal/store/pebblestore"
)

// A Config is what an operator may choose of what every node with a scheduler has.
type Config struct {
	Store     pebblestore.Config
	Engine    engine.Config
	Dispatch  dispatch.Config
	Scheduler scheduler.Config
	// Cluster is what the node has instead of Store, if it is one of several; nil if it is alone. The hosts of Scheduler
	// are the members' then.
	Cluster *ClusterConfig
	// Memory is what each part of the node may have of the memory. Zero leaves it to their own defaults.
	Memory memory.Shares
	// Descriptors is how many file descriptors each part of the node may have open. Zero leaves it to their own defaults.
	Descriptors descriptors.Shares
	// Hosts are by which names and addresses the HTTP listeners may be called.
	Hosts crossorigin.Hosts
	// Namespaces are those of Kubernetes, whose jobs are deleted with them; nil: jobs stay.
	Namespaces *kubernetes.Watcher
	// Opened is called once the node's listeners are open, and before the node says that it is ready; it may be nil. A port
	// that is closed until there is a certificate is open then.
	Opened func(ctx context.Context)
}

// A Node holds its listeners, and its store if it has one. Only Run lets go of them.
type Node struct {
	store  io.Closer // nil in a node that keeps nothing
	stages []stage
}

// Run runs the node until ctx ends or a client asks for a shutdown, and then returns nil; or until a part of it fails.
// Everything that it started has ended by then, and the store is closed. It is to be called once.
func (n *Node) Run(ctx context.Context) error {
	err := runStages(ctx, n.stages...)
	if n.store != nil {
		err = errors.Join(err, n.store.Close())
	}
	if err != nil {
		return fmt.Errorf("run the node: %w", err)
	}
	return nil
}

// A core is what every node with a scheduler has. Its stages are in the order in which they depend on one another: base,
// engine.Run, forward, the service's Run, cluster.
type core struct {
	store   io.Closer
	engine  *engine.Engine
	jobs    scheduler.Jobs // the engine, or the way to all of them
	service *scheduler.Service
	served  func(job.Target) bool // whether a sidecar is connected that serves the target
	checks  []check

	base    []stage // below the engine: the store
	forward []stage // below the service: the way to other nodes
	cluster []stage // above the service: membership, which is given up while calls can still be passed on
}

// openCore opens the store, which no other process may have open, and builds the rest on it; or what a node of a cluster
// has.
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
	return core{
		store: st, engine: e, jobs: e, service: scheduler.New(cfg.Scheduler, e, d, log),
		served: d.Connected, base: []stage{st.Wait}, checks: []check{e.Health},
	}, nil
}

// forget deletes all jobs of a namespace that is gone. Others whose names begin like it keep theirs.
func (c core) forget(ctx context.Context, namespace string) error {
	var err error
	for _, kind := range []job.Kind{job.App, job.Actor} {
		err = errors.Join(err, c.jobs.DeleteAll(ctx, job.Prefix{Kind: kind, Namespace: namespace}))
	}
	return err
}

// closeAll closes those listeners that are there.
func closeAll(listeners ...net.Listener) error {
	var err error
	for _, l := range listeners {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}
	return err
}
