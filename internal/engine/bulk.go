package engine

import (
	"context"
	"fmt"
	"iter"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
)

// What a page of a listing or of a deletion holds at most. Calls on many jobs go page by page, so that they hold little
// in memory, and nobody waits for more than one page of them.
const (
	pageJobs  = 10_000
	pageBytes = 1 << 20
)

// List yields the jobs that p names, ordered by target, actor id and name, but for those that are in quarantine. A job that is scheduled or deleted meanwhile
// may be among them or not; all others are. What it yields would survive a power cut. It ends after an error.
func (e *Engine) List(ctx context.Context, p job.Prefix) iter.Seq2[job.Item, error] {
	return func(yield func(job.Item, error) bool) {
		rest := record.PrefixRange(p)
		for {
			page, err := e.page(ctx, rest, true)
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

// DeleteAll removes the jobs that p names. When it returns nil, none of those that were there when it was called is
// delivered again, but for triggers that are out already. After an error some may be gone and others not.
func (e *Engine) DeleteAll(ctx context.Context, p job.Prefix) error {
	return e.DeleteThrough(ctx, p, e.ScheduleAll)
}

// DeleteThrough is DeleteAll, by way of a function that is like ScheduleAll and reaches the owner of each job.
func (e *Engine) DeleteThrough(
	ctx context.Context, p job.Prefix, all func(context.Context, []job.Request) func(context.Context) []error,
) error {
	rest := record.PrefixRange(p)
	for {
		page, err := e.page(ctx, rest, false)
		if err != nil {
			return fmt.Errorf("delete jobs: %w", err)
		}
		requests := make([]job.Request, len(page.items))
		for i, item := range page.items {
			requests[i] = job.Request{Key: item.Key, Remove: true}
		}
		for _, err := range all(ctx, requests)(ctx) {
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

// A page is some jobs of a range, and where the next one begins; nil if there is none.
type page struct {
	items []job.Item
	next  []byte
}

// page reads the front of r, with specs or keys alone. What it returns would survive a power cut.
func (e *Engine) page(ctx context.Context, r store.Range, specs bool) (page, error) {
	for {
		p, err := e.readPage(ctx, r, specs)
		if err != nil {
			return page{}, err
		}
		durable := true
		for _, lp := range e.loops {
			ok, err := lp.settled(ctx, nil)
			if err != nil {
				return page{}, err
			}
			durable = durable && ok
		}
		if durable {
			return p, nil
		}
	}
}

func (e *Engine) readPage(ctx context.Context, r store.Range, specs bool) (page, error) {
	var p page
	bytes, read := 0, 0
	for pair, err := range e.store.Scan(ctx, r, pageJobs+1) {
		if err != nil {
			return page{}, unavailable(ctx, err)
		}
		if read == pageJobs || bytes > pageBytes {
			p.next = append(p.next, pair.Key...)
			break
		}
		read++
		k, err := record.ParseJobKey(pair.Key)
		if err != nil {
			e.aside.report(ctx, pair.Key, len(pair.Value), err)
			continue
		}
		item := job.Item{Key: k}
		if specs {
			if err := missingKey(ctx, e.raw, e.config.Keys, pair.Value); err != nil {
				return page{}, unavailable(ctx, err)
			}
			s, err := record.DecodeSpec(k, pair.Value)
			if err != nil {
				e.aside.report(ctx, pair.Key, len(pair.Value), err)
				continue
			}
			item.Spec = *s
			bytes += len(pair.Value)
		}
		p.items = append(p.items, item)
	}
	return p, nil
}
