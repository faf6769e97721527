package scheduler

import (
	"context"
	"sync"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	protobuf "google.golang.org/protobuf/proto"

	"carillon/internal/limits"
)

// A Quota limits each namespace. A zero field is no limit.
type Quota struct {
	// Jobs and Bytes limit how many jobs are stored, reminders included, and their size. Both are
	// approximate. A namespace is counted again when it seems to have reached them, but not more
	// often than recount allows. Jobs that are being stored meanwhile are not counted. A job that
	// replaces another may be refused although it needs no more space.
	Jobs, Bytes int64
	// Rate limits calls a second. Each job of a bulk call counts as a call, and each 4 KiB of a
	// stored job or of a list as another. The burst is the calls of one second.
	Rate float64
	// Count returns how many jobs a namespace has, and their size. Jobs and Bytes need it.
	Count func(ctx context.Context, namespace string) (jobs, bytes int64, err error)
}

// maxNamespaces is how many namespaces are tracked at a time. Those without calls for a second may
// be forgotten.
const maxNamespaces = 10_000

// A count is valid for recount at least, and for recountFactor times as long as it took.
const (
	recount       = time.Second
	recountFactor = 20
)

// quotas enforce the quota of each namespace. They are safe for concurrent use.
type quotas struct {
	Quota
	metrics *metrics

	mu    sync.Mutex                 // guards the fields below, and calls and at of each namespaceUsage
	usage map[string]*namespaceUsage // by namespace
	swept time.Time
}

// A namespaceUsage is what one namespace uses of its quota.
type namespaceUsage struct {
	calls float64 // tokens of a token bucket, as of at; negative after a large call, -Rate at least
	at    time.Time

	sem         chan struct{} // holds a token while a goroutine uses the fields below
	jobs, bytes int64
	counted     time.Time
	took        time.Duration
}

func newQuotas(q Quota, m *metrics) *quotas {
	return &quotas{Quota: q, metrics: m, usage: make(map[string]*namespaceUsage)}
}

// callBytes is the size, of a stored job or of a list, that counts as another call.
const callBytes = 4 << 10

func callsFor(bytes int) int { return 1 + bytes/callBytes }

// allow charges the namespace for so many calls, or returns the error of a call beyond its rate. It
// throttles the connection of a refused call for all but one of them; the server does so for that
// one, as for every refused call.
func (q *quotas) allow(ctx context.Context, now time.Time, namespace string, calls int) error {
	if q.Rate <= 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.usageOf(now, namespace)
	if u == nil || u.calls < 1 {
		limits.Throttle(ctx, calls-1)
		return q.refuse("rate", "the namespace %q makes more than %v calls a second: make fewer, or try again", namespace, q.Rate)
	}
	u.calls = max(u.calls-float64(calls), -q.Rate)
	return nil
}

// charge charges the namespace for so many more calls. Their cost was unknown before they ran.
func (q *quotas) charge(now time.Time, namespace string, calls int) {
	if q.Rate <= 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if u := q.usageOf(now, namespace); u != nil {
		u.calls = max(u.calls-float64(calls), -q.Rate)
	}
}

// allowJob counts a job of the namespace, or returns the error of a job beyond its quota.
func (q *quotas) allowJob(ctx context.Context, now time.Time, namespace string, req *schedulerv1.ScheduleJobRequest) error {
	if q.Jobs <= 0 && q.Bytes <= 0 {
		return nil
	}
	q.mu.Lock()
	u := q.usageOf(now, namespace)
	q.mu.Unlock()
	if u == nil {
		return q.refuse("rate", "more than %d namespaces are active: try again later", maxNamespaces)
	}
	select {
	case u.sem <- struct{}{}:
		defer func() { <-u.sem }()
	case <-ctx.Done():
		return ctx.Err()
	}
	bytes := int64(protobuf.Size(req))
	stale := now.Sub(u.counted) >= max(recount, recountFactor*u.took)
	if u.counted.IsZero() || stale && (q.tooMany(u) || q.tooLarge(u, bytes)) {
		var err error
		if u.jobs, u.bytes, err = q.Count(ctx, namespace); err != nil {
			u.counted = time.Time{}
			return err
		}
		u.counted = time.Now()
		u.took = u.counted.Sub(now)
	}
	switch {
	case q.tooMany(u):
		return q.refuse("jobs", "the namespace %q has as many jobs as its quota allows, %d: delete some", namespace, q.Jobs)
	case q.tooLarge(u, bytes):
		return q.refuse("bytes", "the jobs of the namespace %q take as much as its quota allows, %d bytes: delete some", namespace, q.Bytes)
	}
	u.jobs++
	u.bytes += bytes
	return nil
}

func (q *quotas) tooMany(u *namespaceUsage) bool { return q.Jobs > 0 && u.jobs >= q.Jobs }

func (q *quotas) tooLarge(u *namespaceUsage, bytes int64) bool {
	return q.Bytes > 0 && u.bytes+bytes > q.Bytes
}

func (q *quotas) refuse(quota, format string, args ...any) error {
	q.metrics.overQuota.WithLabelValues(quota).Inc()
	return status.Errorf(codes.ResourceExhausted, format, args...)
}

// usageOf returns the usage of a namespace as of now, or nil if too many are tracked. The caller
// holds mu.
func (q *quotas) usageOf(now time.Time, namespace string) *namespaceUsage {
	u := q.usage[namespace]
	if u == nil {
		if len(q.usage) >= maxNamespaces && now.Sub(q.swept) >= time.Second {
			q.sweep(now)
		}
		if len(q.usage) >= maxNamespaces {
			return nil
		}
		u = &namespaceUsage{calls: q.Rate, at: now, sem: make(chan struct{}, 1)}
		q.usage[namespace] = u
	}
	if since := now.Sub(u.at).Seconds(); since > 0 {
		u.calls, u.at = min(max(1, q.Rate), u.calls+since*q.Rate), now
	}
	return u
}

// sweep forgets namespaces without calls for a second that are not being counted.
func (q *quotas) sweep(now time.Time) {
	q.swept = now
	for namespace, u := range q.usage {
		if now.Sub(u.at) >= time.Second && len(u.sem) == 0 {
			delete(q.usage, namespace)
		}
	}
}
