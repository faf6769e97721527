package dueorder

import (
	"bytes"
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
)

// A pageRead is the reading of one page.
type pageRead struct {
	*Index

	selector job.Selector
	from     Cursor
	skip     int // how many entries of a lane that are not needed are read before it is left

	mu struct {
		sync.Mutex

		work  int
		found earliest
	}
}

// readAll reads all partitions, several at once if the store is remote.
func (r *pageRead) readAll(ctx context.Context) error {
	if !r.Remote {
		for partition := range r.Partitions {
			if err := r.readPartition(ctx, partition); err != nil {
				return err
			}
		}
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(remoteReaders)
	for partition := range r.Partitions {
		group.Go(func() error { return r.readPartition(ctx, partition) })
	}
	return group.Wait()
}

// readPartition reads the lanes of a partition.
func (r *pageRead) readPartition(ctx context.Context, partition int) error {
	kinds := []job.Kind{job.App, job.Actor}
	if r.selector.Kind != 0 {
		kinds = []job.Kind{r.selector.Kind}
	}
	for _, kind := range kinds {
		rest := record.LanesRange(partition, kind, r.selector)
		if s := r.selector; s.Namespace != "" && s.Target != "" { // it is one lane
			target := job.Target{Kind: kind, Namespace: s.Namespace, Name: s.Target}
			rest.From = r.from.inLane(record.LaneID{Partition: partition, Target: target})
		}
		for bytes.Compare(rest.From, rest.To) < 0 {
			next, err := r.scan(ctx, rest)
			if err != nil {
				return err
			}
			rest.From = next
		}
	}
	return nil
}

// scan reads a part of a partition, until it is cheaper to go on elsewhere. It returns where; at
// the end of the part, that is its end.
func (r *pageRead) scan(ctx context.Context, part store.Range) (next []byte, err error) {
	if err := r.spend(scanWork); err != nil {
		return nil, err
	}
	var lane record.LaneID
	skipped := 0 // consecutive entries of the lane
	for pair, err := range r.Store.Scan(ctx, part, 0) {
		if err != nil {
			return nil, err
		}
		e, err := record.ParseDueKeyOf(pair.Key, r.Partitions)
		if err != nil {
			r.Report(ctx, pair.Key, len(pair.Value), err)
			if err := r.spend(1); err != nil {
				return nil, err
			}
			continue
		}
		if id := e.Lane(); id != lane {
			lane, skipped = id, 0
		}
		rest, err := r.take(e)
		switch {
		case err != nil:
			return nil, err
		case rest == restNeeded:
			skipped = 0
			continue
		}
		if skipped++; skipped <= r.skip {
			continue
		}
		if rest == restLater {
			return r.from.inLane(lane), nil
		}
		return record.LaneRange(lane).To, nil
	}
	return part.To, nil
}

// A laneRest says what an entry tells about those that follow it in its lane.
type laneRest int

const (
	restNeeded    laneRest = iota // they may be on the page
	restLater                     // the page begins behind some of them
	restNotNeeded                 // none is on the page
)

// take takes e, if it may be on the page.
func (r *pageRead) take(e record.Entry) (laneRest, error) {
	if err := r.spend(1); err != nil {
		return 0, err
	}
	switch {
	case !r.selectsTarget(e.Key.Target):
		return restNotNeeded, nil
	case r.from.Passed(e):
		return restLater, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.mu.found.add(e) {
		return restNotNeeded, nil
	}
	return restNeeded, nil
}

// selectsTarget reports whether the selector selects jobs of t.
func (r *pageRead) selectsTarget(t job.Target) bool {
	s := r.selector
	return (s.Kind == 0 || s.Kind == t.Kind) && (s.Namespace == "" || s.Namespace == t.Namespace) &&
		(s.Target == "" || s.Target == t.Name)
}

// spend adds work to that of the page. It returns [ErrTooManyLanes] if that is too much.
func (r *pageRead) spend(work int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.work += work; r.mu.work > r.MaxWork {
		return ErrTooManyLanes
	}
	return nil
}
