package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"carillon/internal/engine/dueorder"
	"carillon/internal/engine/record"
	"carillon/internal/job"
)

var (
	// ErrTooManyLanes says that so many apps have so many jobs that a page in due order would cost
	// too much. The caller should select fewer apps.
	ErrTooManyLanes = dueorder.ErrTooManyLanes
	// ErrCursor says that the cursor of a query is not one of a page in due order.
	ErrCursor = dueorder.ErrCursor
)

// viewChunk is how many jobs a page in due order reads at once: each may have two megabytes.
const viewChunk = 16

// readPageByDue reads a page of q in due order: entries of the due index, and then their jobs. The
// first of them are enough unless q matches few.
func (e *Engine) readPageByDue(ctx context.Context, q ViewQuery) (ViewPage, error) {
	begin, err := dueorder.ParseCursor(q.After)
	if err != nil {
		return ViewPage{}, err
	}
	var p ViewPage
	next, size, more := begin, 0, true
	for want := q.Limit; more && len(p.Views) < q.Limit && p.Scanned < viewJobs && size <= viewBytes; want = viewJobs {
		var entries []record.Entry
		entries, more, err = e.dueIndex.Page(ctx, q.Selector, next, min(want, viewJobs-p.Scanned))
		if errors.Is(err, ErrTooManyLanes) {
			return ViewPage{}, err
		}
		if err != nil {
			return ViewPage{}, unavailable(ctx, fmt.Errorf("list jobs: %w", err))
		}
		for chunk := range slices.Chunk(entries, viewChunk) {
			if size > viewBytes {
				more = true
				break
			}
			views, n, err := e.viewEntries(ctx, q, chunk)
			if err != nil {
				return ViewPage{}, err
			}
			last := chunk[len(chunk)-1]
			next, p.Last, p.LastDue = dueorder.Behind(last), last.Key, last.Due
			p.Views, p.Scanned, size = append(p.Views, views...), p.Scanned+len(chunk), size+n
		}
	}
	p.Views = inDueOrder(p.Views, func(e record.Entry) bool { return !begin.Passed(e) && (!more || next.Passed(e)) })
	if more {
		p.Next = next.Bytes()
	}
	if len(p.Views) > q.Limit {
		p.Views = p.Views[:q.Limit]
		last := &p.Views[q.Limit-1]
		p.Next, p.Last, p.LastDue = dueorder.Behind(last.entry()).Bytes(), last.Key, last.Due
	}
	return p, nil
}

// viewEntries returns those of the jobs of entries that q selects and matches, and the size of what
// was read.
func (e *Engine) viewEntries(ctx context.Context, q ViewQuery, entries []record.Entry) (views []JobView, size int, err error) {
	var keys []job.Key
	for _, entry := range entries {
		if q.Selects(entry.Key) {
			keys = append(keys, entry.Key)
		}
	}
	if len(keys) == 0 {
		return nil, 0, nil
	}
	all, size, err := e.readViews(ctx, keys)
	if err != nil {
		return nil, 0, err
	}
	return slices.DeleteFunc(all, func(v JobView) bool {
		return v.Spec == nil || q.Match != nil && !q.Match(&v)
	}), size, nil
}

// inDueOrder sorts jobs that were read in due order, but may have changed their places since their
// entries were. It leaves out those whose place is no longer on the page, and duplicates.
func inDueOrder(views []JobView, isOnPage func(e record.Entry) bool) []JobView {
	views = slices.DeleteFunc(views, func(v JobView) bool { return !isOnPage(v.entry()) })
	slices.SortFunc(views, func(v, w JobView) int { return v.entry().CompareDue(w.entry()) })
	seen := make(map[job.Key]bool, len(views))
	for i, v := range slices.Backward(views) { // the last place of a job is the newest
		if seen[v.Key] {
			views = slices.Delete(views, i, i+1)
		}
		seen[v.Key] = true
	}
	return views
}
