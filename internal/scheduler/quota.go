package scheduler

import (
	"context"
	"sync"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	protobuf "google.golang.org/protobuf/proto"

	"carillon/internal/job"
	"carillon/internal/limits"
)

// A Quota is what each namespace may keep and ask for. What is zero has no bound.
type Quota struct {
	// Jobs and Bytes are how many jobs are stored, reminders included, and how much they take. Both are about right: a
	// namespace is counted anew when it seems to have reached them, but not all the time; what is on its way meanwhile
	// comes on top; and a job that takes the place of another may be refused though it needs no more room.
	Jobs, Bytes int64
	// Rate is how many calls are carried out in a second; each job of a message of many is one, and each 4 KiB of what
	// is stored or listed one more. As many may come at once after a second without any.
	Rate float64
	// Count returns how many jobs a namespace has, and the bytes that they take. Jobs and Bytes need it.
	Count func(ctx context.Context, namespace string) (jobs, bytes int64, err error)
}

// maxAccounts is how many namespaces are remembered at a time. Those that have asked for nothing for a second may be
// forgotten.
const maxAccounts = 10_000

// recount is how long a count is believed at least, and recountShare how many times longer than it took.
const (
	recount      = time.Second
	recountShare = 20
)

// quotas hold namespaces to their quota. They are safe for concurrent use.
type quotas struct {
	Quota
	metrics *metrics

	mu       sync.Mutex // guards the fields below, and the calls of each account
	accounts map[string]*account
	swept    time.Time
}

// An account is what one namespace has asked for.
type account struct {
	calls float64 // that it may make at once, as of at; less than none after a large one, but a second's worth at most
	at    time.Time

	turn        chan struct{} // holds a token of whoever uses the fields below
	jobs, bytes int64
	counted     time.Time
	took        time.Duration
}

func newQuotas(q Quota, m *metrics) *quotas {
	return &quotas{Quota: q, metrics: m, accounts: make(map[string]*account)}
}

// callBytes is for how much of what is stored, or listed, one more call counts.
const callBytes = 4 << 10

func callsFor(bytes int) int { return 1 + bytes/callBytes }

// call returns why this namespace may not make a call now that counts for so many, as the caller is told, or nil. Whoever
// is refused is slowed down for all of them but one, which is for the refusal itself, as for any other.
func (q *quotas) call(ctx context.Context, now time.Time, namespace string, calls int) error {
	if q.Rate <= 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	a := q.account(now, namespace)
	if a == nil || a.calls < 1 {
		limits.Throttle(ctx, calls-1)
		return q.refuse("rate", "the namespace %q makes more than %v calls a second: make fewer, or try again", namespace, q.Rate)
	}
	a.calls = max(a.calls-float64(calls), -q.Rate)
	return nil
}

// cost counts a call of this namespace, which has been carried out, for so many more.
func (q *quotas) cost(now time.Time, namespace string, calls int) {
	if q.Rate <= 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if a := q.account(now, namespace); a != nil {
		a.calls = max(a.calls-float64(calls), -q.Rate)
	}
}

// store returns why this namespace may not store a job, as the caller is told, or nil.
func (q *quotas) store(ctx context.Context, now time.Time, namespace string, req *schedulerv1.ScheduleJobRequest) error {
	if q.Jobs <= 0 && q.Bytes <= 0 {
		return nil
	}
	q.mu.Lock()
	a := q.account(now, namespace)
	q.mu.Unlock()
	if a == nil {
		return q.refuse("rate", "more than %d namespaces are at work: try again", maxAccounts)
	}
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	bytes := int64(protobuf.Size(req))
	stale := now.Sub(a.counted) >= max(recount, recountShare*a.took)
	if a.counted.IsZero() || stale && (q.tooMany(a) || q.tooLarge(a, bytes)) {
		var err error
		if a.jobs, a.bytes, err = q.Count(ctx, namespace); err != nil {
			a.counted = time.Time{}
			return err
		}
		a.counted = time.Now()
		a.took = a.counted.Sub(now)
	}
	switch {
	case q.tooMany(a):
		return q.refuse("jobs", "the namespace %q has as many jobs as its quota allows, %d: delete some", namespace, q.Jobs)
	case q.tooLarge(a, bytes):
		return q.refuse("bytes", "the jobs of the namespace %q take as much as its quota allows, %d bytes: delete some", namespace, q.Bytes)
	}
	a.jobs++
	a.bytes += bytes
	return nil
}

func (q *quotas) tooMany(a *account) bool { return q.Jobs > 0 && a.jobs >= q.Jobs }

func (q *quotas) tooLarge(a *account, bytes int64) bool {
	return q.Bytes > 0 && a.bytes+bytes > q.Bytes
}

func (q *quotas) refuse(quota, format string, args ...any) error {
	q.metrics.overQuota.WithLabelValues(quota).Inc()
	return status.Errorf(codes.ResourceExhausted, format, args...)
}

// account returns that of a namespace as of now, or nil if there are too many. The caller holds mu.
func (q *quotas) account(now time.Time, namespace string) *account {
	a := q.accounts[namespace]
	if a == nil {
		if len(q.accounts) >= maxAccounts && now.Sub(q.swept) >= time.Second {
			q.sweep(now)
		}
		if len(q.accounts) >= maxAccounts {
			return nil
		}
		a = &account{calls: q.Rate, at: now, turn: make(chan struct{}, 1)}
		q.accounts[namespace] = a
	}
	if since := now.Sub(a.at).Seconds(); since > 0 {
		a.calls, a.at = min(max(1, q.Rate), a.calls+since*q.Rate), now
	}
	return a
}

// sweep forgets who has asked for nothing for a while, and is not being counted.
func (q *quotas) sweep(now time.Time) {
	q.swept = now
	for namespace, a := range q.accounts {
		if now.Sub(a.at) >= time.Second && len(a.turn) == 0 {
			delete(q.accounts, namespace)
		}
	}
}

// admit returns why a call may not be made, or nil. What a namespace may do in a second does not go by the clock on the wall.
func (s *Service) admit(ctx context.Context, req any) error {
	r, ok := req.(interface {
		GetMetadata() *schedulerv1.JobMetadata
	})
	if !ok {
		return nil
	}
	now, namespace := time.Now(), r.GetMetadata().GetNamespace()
	if len(namespace) > job.MaxName { // no job is there, and it is not worth the memory
		return nil
	}
	j, ok := req.(*schedulerv1.ScheduleJobRequest)
	if !ok {
		return s.quotas.call(ctx, now, namespace, 1)
	}
	if err := s.quotas.call(ctx, now, namespace, callsFor(protobuf.Size(j))); err != nil {
		return err
	}
	return s.quotas.store(ctx, now, namespace, j)
}
