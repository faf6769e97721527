package duescan

import (
	"bytes"
	"context"
	"errors"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
)

const (
	firstEntries = 16  // of a lane, in the first visit
	moreEntries  = 128 // of a lane, at a time, after that
	scanWork     = 8   // the work of a scan, compared with that of an entry
)

// A Scan says which entries of the due index to read. All fields are required.
type Scan struct {
	Store      store.Store
	Partitions int
	Selector   job.Selector
	Until      time.Time // entries that are due at this instant or later are not read
	MaxWork    int       // the most entries to read, about; a scan of the store counts as some of them
	Deadline   time.Time // of [time.Now]; nothing is read after it
	// Report is told of keys that cannot be parsed.
	Report func(ctx context.Context, key []byte, size int, why error)
}

// A Coverage says how far a scan has got.
type Coverage struct {
	Complete bool      // all entries were read
	Through  time.Time // unless Complete: all entries before this instant were read
	Read     int       // entries that were read
}

// A reader is a scan that runs.
type reader struct {
	*Scan

	targets job.Selector // what the selector says of targets
	found   func([]record.Entry) error
	work    int
	cut     lanes // those that have unread entries
	read    int
}

// Run calls found with the selected entries, some of one lane at a time. An entry whose job changes
// meanwhile may be found twice or be missed.
func (s *Scan) Run(ctx context.Context, found func([]record.Entry) error) (Coverage, error) {
	r := &reader{Scan: s, found: found}
	r.targets = job.Selector{Kind: s.Selector.Kind, Namespace: s.Selector.Namespace, Target: s.Selector.Target}
	complete, err := r.visitAll(ctx)
	if err != nil || !complete {
		return Coverage{Read: r.read}, err
	}
	for len(r.cut) > 0 && !r.usedUp() {
		l := r.cut.pop()
		if err := r.readLanes(ctx, store.Range{From: l.from, To: l.to}, moreEntries, func() bool { return false }); err != nil {
			return Coverage{}, err
		}
	}
	if len(r.cut) > 0 {
		return Coverage{Through: r.cut[0].due, Read: r.read}, nil
	}
	return Coverage{Complete: true, Read: r.read}, nil
}

// usedUp reports whether nothing more may be read.
func (r *reader) usedUp() bool { return r.work >= r.MaxWork || !time.Now().Before(r.Deadline) }

// errUsedUp ends a scan that may not read on.
var errUsedUp = errors.New("the work of the scan is used up")

// visitAll reads the beginning of each selected lane. It returns false if it has not visited all.
func (r *reader) visitAll(ctx context.Context) (bool, error) {
	kinds := []job.Kind{job.App, job.Actor}
	if r.Selector.Kind != 0 {
		kinds = []job.Kind{r.Selector.Kind}
	}
	for partition := range r.Partitions {
		for _, kind := range kinds {
			err := r.readLanes(ctx, record.LanesRange(partition, kind, r.Selector), firstEntries, r.usedUp)
			if errors.Is(err, errUsedUp) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// readLanes reads the first entries of each lane in a range, limit of each at most. It returns
// errUsedUp if stop says so.
func (r *reader) readLanes(ctx context.Context, lanes store.Range, limit int, stop func() bool) (err error) {
	for next := lanes.From; next != nil && bytes.Compare(next, lanes.To) < 0; {
		if stop() {
			return errUsedUp
		}
		if next, err = r.readLane(ctx, store.Range{From: next, To: lanes.To}, limit); err != nil {
			return err
		}
	}
	return nil
}

// readLane reads the entries of the first lane in a range, limit at most. It returns the key at
// which the next lane may begin; nil if there is none.
func (r *reader) readLane(ctx context.Context, in store.Range, limit int) (next []byte, err error) {
	r.work += scanWork
	var entries []record.Entry
	pairs := 0
	for pair, err := range r.Store.Scan(ctx, in, limit+1) {
		if err != nil {
			return nil, err
		}
		r.work++
		pairs++
		e, err := record.ParseDueKeyOf(pair.Key, r.Partitions)
		if err != nil {
			r.Report(ctx, pair.Key, len(pair.Value), err)
			if len(entries) == 0 {
				next = append(bytes.Clone(pair.Key), 0)
			}
			continue
		}
		if len(entries) > 0 && e.Lane() != entries[0].Lane() {
			return next, r.flush(entries)
		}
		next = record.LaneRange(e.Lane()).To
		switch {
		case len(entries) == 0 && !r.targets.Selects(job.Key{Target: e.Key.Target}):
			return next, nil
		case !e.Due.Before(r.Until):
			return next, r.flush(entries)
		case len(entries) == limit:
			r.cut.push(cutLane{due: e.Due, from: record.DueKey(e), to: next})
			return next, r.flush(entries)
		}
		entries = append(entries, e)
	}
	if pairs > limit && len(entries) > 0 { // some keys were malformed, so the lane may go on
		last := entries[len(entries)-1]
		rest := record.RangeAfter(last)
		r.cut.push(cutLane{due: last.Due, from: rest.From, to: rest.To})
	}
	return next, r.flush(entries)
}

// flush hands the selected ones of entries to found.
func (r *reader) flush(entries []record.Entry) error {
	r.read += len(entries)
	selected := entries[:0]
	for _, e := range entries {
		if r.Selector.Selects(e.Key) {
			selected = append(selected, e)
		}
	}
	if len(selected) == 0 {
		return nil
	}
	return r.found(selected)
}
