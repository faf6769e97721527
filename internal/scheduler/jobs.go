package scheduler

import (
	"context"
	"iter"
	"time"

	"carillon/internal/job"
)

// Jobs stores jobs. Its methods return the errors of package job, and stop waiting when ctx ends.
type Jobs interface {
	// Schedule stores s, which is resolved, under k. It returns [job.ErrExists] if there is a job
	// with this key and overwrite is not set.
	Schedule(ctx context.Context, k job.Key, s job.Spec, overwrite bool) error
	// ScheduleAll carries out all requests, and returns their errors in order. Of requests with the
	// same key the first is carried out first. The caller must not change all afterwards.
	ScheduleAll(ctx context.Context, all []job.Request) []error
	// Get returns the job as it was scheduled and the instant at which its next attempt is owed, or
	// [job.ErrNotFound]. The instant is zero if it is unknown.
	Get(ctx context.Context, k job.Key) (job.Spec, time.Time, error)
	// Delete removes the job. It is no error if there is none.
	Delete(ctx context.Context, k job.Key) error
	// List yields the jobs that p selects, as of one moment, ordered by target name, actor id and
	// name, bytewise. An error ends it.
	List(ctx context.Context, p job.Prefix) iter.Seq2[job.Item, error]
	// ListPage returns the first jobs that List would yield from a position on, limit at most. It
	// holds a few MiB at most. The position is nil for the first page. Next is that of the next page,
	// for the same p; nil after the last page.
	ListPage(ctx context.Context, p job.Prefix, position []byte, limit int) (items []job.Item, next []byte, err error)
	// DeleteAll removes the jobs that p selects. It is no error if there are none.
	DeleteAll(ctx context.Context, p job.Prefix) error
}
