package engine

import (
	"bytes"
	"context"

	"carillon/internal/engine/dueorder"
	"carillon/internal/engine/record"
)

// ViewPage returns a page of the jobs that q selects, except those in quarantine. It reads about
// 1,000 jobs, or 1 MiB of them, at most: a page may be empty and not the last. In the order of keys
// it reads jobs of one kind. Any node of a cluster can read any page. What it returns would survive
// a power cut; the spec and the state of a job may be of two moments.
//
// In due order, a page also reads the due index of each lane. [ErrTooManyLanes] says that there are
// too many. A job that changes its place between two pages may be on both, or on none.
func (e *Engine) ViewPage(ctx context.Context, q ViewQuery) (ViewPage, error) {
	read := e.readPageByName
	if q.Order == ByDue {
		read = e.readPageByDue
	}
	for {
		p, err := read(ctx, q)
		if err != nil {
			return ViewPage{}, err
		}
		if durable, err := e.waitAllDurable(ctx); durable || err != nil {
			return p, err
		}
	}
}

// Compare orders jobs in the order of q.
func (q ViewQuery) Compare(v, w *JobView) int {
	if q.Order == ByDue {
		return v.entry().CompareDue(w.entry())
	}
	return record.CompareJobs(v.Key, w.Key)
}

// CursorBefore returns the cursor before a job, in the order of q: the page begins with it.
func (q ViewQuery) CursorBefore(v *JobView) []byte {
	if q.Order == ByDue {
		return dueorder.Before(v.entry()).Bytes()
	}
	return record.JobKey(v.Key)
}

// Passed reports whether a cursor lies behind a job, in the order of q.
func (q ViewQuery) Passed(cursor []byte, v *JobView) bool {
	if q.Order == ByDue {
		c, err := dueorder.ParseCursor(cursor)
		return err == nil && c.Passed(v.entry())
	}
	return bytes.Compare(record.JobKey(v.Key), cursor) < 0
}
