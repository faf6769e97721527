package app

import (
	"context"
	"errors"
	"io"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/management"
	"carillon/internal/scheduler"
)

// core is what every node with a scheduler has. Its components run in this order: base, engine.Run,
// forward, service.Run, cluster.
type core struct {
	store   io.Closer
	engine  *engine.Engine
	jobs    scheduler.Jobs // all jobs: through the engine, or in a cluster through the owners
	service *scheduler.Service
	served  func(job.Target) bool // reports whether a connected sidecar serves the target
	checks  []check
	// progress returns how far jobs have got that are due, and the nodes that do not answer.
	progress func(ctx context.Context, keys []job.Key) ([]engine.DueProgress, []string, error)
	nodes    management.ClusterReader // what nodes say of themselves

	base    []component // below the engine: the store
	forward []component // below the service: calls to other nodes
	cluster []component // above the service: membership ends while the node can still forward calls
}

// deleteNamespace deletes all jobs of a namespace that was deleted in Kubernetes.
func (c core) deleteNamespace(ctx context.Context, namespace string) error {
	var err error
	for _, kind := range []job.Kind{job.App, job.Actor} {
		err = errors.Join(err, c.jobs.DeleteAll(ctx, job.Prefix{Kind: kind, Namespace: namespace}))
	}
	return err
}
