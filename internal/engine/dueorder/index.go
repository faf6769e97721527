package dueorder

import (
	"context"
	"errors"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
)

// ErrTooManyLanes says that a page would take more work than [Index].MaxWork.
var ErrTooManyLanes = errors.New("too many lanes for a page in due order")

// DefaultMaxWork is a bound of the work of a page. That is about 15,000 long lanes, or a million
// entries of short ones: up to a second of processor time.
const DefaultMaxWork = 1_000_000

// scanWork is the work of a scan, compared with that of reading an entry. A page scans on over so
// many entries that it does not need, before it leaves a lane.
const scanWork = 32

// A remote store answers scans in pages over a network.
const (
	remoteSkip    = 128 // entries that come with the first page of a scan anyway
	remoteReaders = 8   // scans that wait for the store at once
)

// An Index is the due index of a store. It is safe for concurrent use.
type Index struct {
	Store      store.Store
	Partitions int
	// Remote says that each scan waits for a network, so that several run at once.
	Remote bool
	// MaxWork bounds the work of a page: one for each entry that is read, and scanWork for a scan.
	MaxWork int
	// Report is called with each key that is malformed, and the size of its value. Such keys are
	// left out. It is safe for concurrent use.
	Report func(ctx context.Context, key []byte, size int, why error)
}

// Page returns the first limit entries from a position on, of the targets that s selects, in due
// order, and whether more follow. It ignores the actor id and the name in s. Jobs that change
// meanwhile may be missing, or be there twice.
func (x *Index) Page(
	ctx context.Context, s job.Selector, from Cursor, limit int,
) (entries []record.Entry, more bool, err error) {
	r := &pageRead{Index: x, selector: s, from: from, skip: scanWork}
	r.mu.found.limit = limit + 1
	if x.Remote {
		r.skip = remoteSkip
	}
	if s.Namespace != "" && s.Target != "" {
		r.skip = 0 // each partition has one lane, behind which nothing is left to read
	}
	if err := r.readAll(ctx); err != nil {
		return nil, false, err
	}
	entries = r.mu.found.sorted()
	if len(entries) > limit {
		return entries[:limit], true, nil
	}
	return entries, false, nil
}
