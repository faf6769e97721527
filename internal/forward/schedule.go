package forward

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/internal/job"
)

// retryTimeout is how long a call that has not begun is retried, unless its caller gives up before.
const retryTimeout = 10 * time.Second

// ScheduleAll carries out commands like [engine.Engine.ScheduleAll], on the nodes that own their
// jobs. It retries commands that have not begun.
func (r *Router) ScheduleAll(ctx context.Context, all []job.Request) []error {
	errs := make([]error, len(all))
	retry := make([]int, len(all))
	for i := range retry {
		retry[i] = i
	}
	began := time.Now()
	retry, changed := r.send(ctx, all, retry, errs)
	if len(retry) == 0 {
		return errs
	}
	bounded, cancel := context.WithDeadlineCause(ctx, began.Add(retryTimeout), job.ErrUnavailable)
	defer cancel()
	for wait := minWait; ; wait = min(2*wait, maxWait) {
		if retry = dropOvertaken(all, errs, retry); len(retry) == 0 {
			return errs
		}
		if !pause(bounded, changed, wait) {
			for _, i := range retry {
				errs[i] = timedOut(bounded, errs[i])
			}
			return errs
		}
		retry, changed = r.send(ctx, all, retry, errs)
	}
}

// The wait before a retry doubles from minWait to maxWait. It ends at once when the owners change.
const (
	minWait = 5 * time.Millisecond
	maxWait = 200 * time.Millisecond
)

// timedOut returns the error of a call that is no longer retried and last failed with err.
func timedOut(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); !errors.Is(cause, job.ErrUnavailable) {
		return cause
	}
	return fmt.Errorf("given up after %v: %w", retryTimeout, err)
}

// pause waits for d or until changed is closed. It returns false if ctx has ended.
func pause(ctx context.Context, changed <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-ctx.Done():
		return false
	}
	return ctx.Err() == nil
}

// dropOvertaken removes from retry the commands after which a later one about the same job was
// carried out. They must not be carried out any more.
func dropOvertaken(all []job.Request, errs []error, retry []int) []int {
	if len(all) == 1 {
		return retry
	}
	last := map[job.Key]int{} // of each job, the last command that was carried out
	next := 0
	for i := range all {
		if next < len(retry) && retry[next] == i {
			next++
		} else if errs[i] == nil {
			last[all[i].Key] = i
		}
	}
	var rest []int
	for _, i := range retry {
		if later, ok := last[all[i].Key]; ok && later > i {
			errs[i] = fmt.Errorf("a later command about the job was carried out meanwhile: %w", job.ErrUnavailable)
		} else {
			rest = append(rest, i)
		}
	}
	return rest
}
