package dueorder

import (
	"context"
	"errors"

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
