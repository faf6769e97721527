package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"carillon/internal/engine/duescan"
	"carillon/internal/engine/record"
	"carillon/internal/job"
)

// viewDueChunk is how many jobs [Engine.ViewDue] reads at once: each may have two megabytes.
const viewDueChunk = 16

// A DueQuery says which jobs [Engine.ViewDue] is to find.
type DueQuery struct {
	job.Selector

	Until   time.Time     // jobs whose next attempt is due at this instant or later are not found
	MaxJobs int           // the most jobs to read, about
	MaxTime time.Duration // no job is read after it
}

// A DueScan says how far [Engine.ViewDue] has got.
type DueScan struct {
	Complete bool      // all jobs were read
	Through  time.Time // unless Complete: all jobs were read whose next attempt is due before it
	Read     int       // entries of the due index that were read
}

// ViewDue calls found with the jobs whose next attempt is due before an instant, except those in
// quarantine, some at a time, each once. Jobs of each target come early, however many another target
// has. Any node of a cluster can read all jobs. A power cut may undo what ViewDue has read; a job
// that changes meanwhile may be missed.
func (e *Engine) ViewDue(ctx context.Context, q DueQuery, found func([]JobView) error) (DueScan, error) {
	var errFound error
	seen := map[job.Key]bool{}
	scan := duescan.Scan{
		Store: e.store, Partitions: e.config.Partitions, Selector: q.Selector, Until: q.Until,
		MaxWork: q.MaxJobs, Deadline: time.Now().Add(q.MaxTime), Report: e.quarantine.Report,
	}
	r, err := scan.Run(ctx, func(entries []record.Entry) error {
		entries = slices.DeleteFunc(entries, func(x record.Entry) bool { return seen[x.Key] })
		for chunk := range slices.Chunk(entries, viewDueChunk) {
			views, err := e.readDueViews(ctx, chunk)
			if err != nil {
				return err
			}
			for _, v := range views {
				seen[v.Key] = true
			}
			if errFound = found(views); errFound != nil {
				return errFound
			}
		}
		return nil
	})
	switch {
	case errFound != nil:
		return DueScan{}, errFound
	case err != nil:
		return DueScan{}, unavailable(ctx, fmt.Errorf("read the due index: %w", err))
	}
	return DueScan(r), nil
}

// readDueViews returns the jobs of entries that exist and can be read.
func (e *Engine) readDueViews(ctx context.Context, entries []record.Entry) ([]JobView, error) {
	read := make([][]byte, 0, 2*len(entries))
	for _, x := range entries {
		read = append(read, record.JobKey(x.Key), record.StateKey(x.Key))
	}
	values, err := e.store.Get(ctx, read...)
	if err != nil {
		return nil, err
	}
	views := make([]JobView, 0, len(entries))
	for i, x := range entries {
		v, err := e.view(ctx, x.Key, values[2*i])
		if err != nil {
			return nil, err
		}
		if e.addState(ctx, &v, values[2*i+1]); v.Spec != nil {
			views = append(views, v)
		}
	}
	return views, nil
}
