package forward

import (
	"context"
	"iter"
	"time"

	"carillon/internal/job"
)

// Schedule stores the job k like [engine.Engine.Schedule].
func (r *Router) Schedule(ctx context.Context, k job.Key, s job.Spec, overwrite bool) error {
	return r.one(ctx, job.Request{Key: k, Spec: s, Overwrite: overwrite})
}

// Delete removes the job k like [engine.Engine.Delete].
func (r *Router) Delete(ctx context.Context, k job.Key) error {
	return r.one(ctx, job.Request{Key: k, Remove: true})
}

func (r *Router) one(ctx context.Context, q job.Request) error {
	return r.ScheduleAll(ctx, []job.Request{q})[0]
}

// Get returns the job k like [engine.Engine.Get].
func (r *Router) Get(ctx context.Context, k job.Key) (job.Spec, time.Time, error) {
	return r.engine.Get(ctx, k)
}

// List yields the jobs that p selects like [engine.Engine.List].
func (r *Router) List(ctx context.Context, p job.Prefix) iter.Seq2[job.Item, error] {
	return r.engine.List(ctx, p)
}

// DeleteAll removes the jobs that p selects like [engine.Engine.DeleteAll].
func (r *Router) DeleteAll(ctx context.Context, p job.Prefix) error {
	return r.engine.DeleteThrough(ctx, p, r.ScheduleAll)
}
