package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/engine/storemeta"
	"carillon/internal/job"
	"carillon/internal/store"
)

// The most that a page of a listing or a deletion holds. Calls on many jobs go page by page: they
// hold little in memory, and no other call waits for more than one page.
const (
	pageJobs  = 10_000
	pageBytes = 1 << 20
)

// Get returns the job k and the instant at which its next attempt is owed, or [job.ErrNotFound]. The
// instant is zero if the job's state cannot be read. What it returns would survive a power cut.
func (e *Engine) Get(ctx context.Context, k job.Key) (job.Spec, time.Time, error) {
	for {
		values, err := e.store.Get(ctx, record.JobKey(k), record.StateKey(k))
		if err != nil {
			return job.Spec{}, time.Time{}, unavailable(ctx, fmt.Errorf("read job %s: %w", k, err))
		}
		durable, err := e.loopOf[e.Partition(k)].commit.Load().waitDurable(ctx, &k)
		switch {
		case err != nil:
			return job.Spec{}, time.Time{}, err
		case !durable:
			continue
		case values[0] == nil:
			return job.Spec{}, time.Time{}, fmt.Errorf("%w: %s", job.ErrNotFound, k.Name)
		}
		if err := storemeta.MissingKey(ctx, e.rawStore, e.config.Keys, values[0]); err != nil {
			return job.Spec{}, time.Time{}, unavailable(ctx, err)
		}
		s, err := record.DecodeSpec(k, values[0])
		if err != nil {
			e.quarantine.Report(ctx, record.JobKey(k), len(values[0]), err)
			return job.Spec{}, time.Time{}, err
		}
		return *s, nextDue(k, s, values[1]), nil
	}
}

// nextDue returns the instant of a job's entry in the due index, or zero if state is malformed.
func nextDue(k job.Key, s *job.Spec, state []byte) time.Time {
	if state == nil {
		return s.Plan.First
	}
	decoded, err := record.DecodeState(k, state)
	if err != nil {
		return time.Time{} // reported when the job is due
	}
	return decoded.Due
}

// List yields the jobs that p names, except those in quarantine, ordered by target, actor id and
// name. A job that is scheduled or deleted meanwhile may be among them or not. What it yields would
// survive a power cut. It ends after an error.
func (e *Engine) List(ctx context.Context, p job.Prefix) iter.Seq2[job.Item, error] {
	return func(yield func(job.Item, error) bool) {
		rest := record.PrefixRange(p)
		for {
			page, err := e.page(ctx, rest, true, pageJobs)
			if err != nil {
				yield(job.Item{}, fmt.Errorf("list jobs: %w", err))
				return
			}
			for _, item := range page.items {
				if !yield(item, nil) {
					return
				}
			}
			if page.next == nil {
				return
			}
			rest.From = page.next
		}
	}
}

// ListPage returns the first of the jobs that List would yield from a position on, limit at most. It
// ends early after pageBytes. The position is nil for the first page. Next is that of the next page,
// valid for the same p; it is nil after the last page. A page may be empty and not the last.
func (e *Engine) ListPage(
	ctx context.Context, p job.Prefix, position []byte, limit int,
) (items []job.Item, next []byte, err error) {
	rest := record.PrefixRange(p)
	begin := len(rest.From)
	rest.From = slices.Concat(rest.From, position) // within the range, whatever the position is
	page, err := e.page(ctx, rest, true, limit)
	if err != nil {
		return nil, nil, fmt.Errorf("list a page of jobs: %w", err)
	}
	if page.next != nil {
		next = page.next[begin:]
	}
	return page.items, next, nil
}

// DeleteAll removes the jobs that p names. When it returns nil, none of those that existed when it
// was called is delivered again, except that triggers in flight may still arrive. After an error
// some may be gone and others not.
func (e *Engine) DeleteAll(ctx context.Context, p job.Prefix) error {
	return e.DeleteThrough(ctx, p, e.ScheduleAll)
}

// DeleteThrough is DeleteAll with a function like ScheduleAll that reaches the owner of each job.
func (e *Engine) DeleteThrough(
	ctx context.Context, p job.Prefix, all func(context.Context, []job.Request) []error,
) error {
	rest := record.PrefixRange(p)
	for {
		page, err := e.page(ctx, rest, false, pageJobs)
		if err != nil {
			return fmt.Errorf("delete jobs: %w", err)
		}
		requests := make([]job.Request, len(page.items))
		for i, item := range page.items {
			requests[i] = job.Request{Key: item.Key, Remove: true}
		}
		for _, err := range all(ctx, requests) {
			if err != nil {
				return err
			}
		}
		if page.next == nil {
			return nil
		}
		rest.From = page.next
	}
}

// Usage returns how many jobs a namespace has, reminders included, and how many bytes their records
// take with their keys. It reads all of them: a million takes about a second.
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

// A jobPage is some jobs of a range, and where the next page begins; nil if there is none.
type jobPage struct {
	items []job.Item
	next  []byte
}

// page reads the beginning of r, limit jobs at most, with specs or with keys only. What it returns
// would survive a power cut.
func (e *Engine) page(ctx context.Context, r store.Range, specs bool, limit int) (jobPage, error) {
	for {
		p, err := e.readPage(ctx, r, specs, limit)
		if err != nil {
			return jobPage{}, err
		}
		durable := true
		for _, lp := range e.loops {
			ok, err := lp.commit.Load().waitDurable(ctx, nil)
			if err != nil {
				return jobPage{}, err
			}
			durable = durable && ok
		}
		if durable {
			return p, nil
		}
	}
}

func (e *Engine) readPage(ctx context.Context, r store.Range, specs bool, limit int) (jobPage, error) {
	var p jobPage
	bytes, read := 0, 0
	for pair, err := range e.store.Scan(ctx, r, limit+1) {
		if err != nil {
			return jobPage{}, unavailable(ctx, err)
		}
		if read == limit || bytes > pageBytes {
			p.next = append(p.next, pair.Key...)
			break
		}
		read++
		k, err := record.ParseJobKey(pair.Key)
		if err != nil {
			e.quarantine.Report(ctx, pair.Key, len(pair.Value), err)
			continue
		}
		item := job.Item{Key: k}
		if specs {
			if err := storemeta.MissingKey(ctx, e.rawStore, e.config.Keys, pair.Value); err != nil {
				return jobPage{}, unavailable(ctx, err)
			}
			s, err := record.DecodeSpec(k, pair.Value)
			if err != nil {
				e.quarantine.Report(ctx, pair.Key, len(pair.Value), err)
				continue
			}
			item.Spec = *s
			bytes += len(pair.Value)
		}
		p.items = append(p.items, item)
	}
	return p, nil
}

// unavailable wraps an error of the store in [job.ErrUnavailable], unless ctx has ended.
func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w: %w", job.ErrUnavailable, err)
}
