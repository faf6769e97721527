package engine

import (
	"context"
	"fmt"

	"carillon/internal/engine/record"
	"carillon/internal/job"
)

// Usage returns how many jobs a namespace has, reminders included, and how many bytes their records take with their keys.
// It reads all of them, but keeps none: a million takes about a second.
func (e *Engine) Usage(ctx context.Context, namespace string) (jobs, bytes int64, err error) {
	for _, kind := range []job.Kind{job.App, job.Actor} {
		r := record.PrefixRange(job.Prefix{Kind: kind, Namespace: namespace})
		for pair, err := range e.store.Scan(ctx, r, 0) {
			if err != nil {
				return 0, 0, unavailable(ctx, fmt.Errorf("count the jobs of %q: %w", namespace, err))
			}
			jobs++
			bytes += int64(len(pair.Key) + len(pair.Value))
		}
	}
	return jobs, bytes, nil
}
