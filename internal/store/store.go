// Package store is the contract between the engine and what keeps its records: an ordered key-value database whose
// writes come in batches, each durable and fenced as a whole.
//
// It is kept narrow on purpose: ordered keys, scans and atomic batches are all that a store needs to offer. The suite
// in storetest says the same by machine; a store that passes it can carry an engine.
package store

import (
	"context"
	"errors"
	"iter"
	"slices"
)

// ErrFenced says that a batch was refused because its writer no longer owns what it writes. Nothing was applied.
var ErrFenced = errors.New("fenced: no longer the owner")

// A Store is an ordered key-value database. Keys are compared byte by byte and are not empty. It is safe for
// concurrent use.
type Store interface {
	// Get returns the value of each key, nil where there is none; a present empty value is not nil. The values are of
	// one moment, and the caller owns them. One call costs one round trip.
	Get(ctx context.Context, keys ...[]byte) ([][]byte, error)

	// Scan yields the pairs of r in key order, limit at most; a limit of zero means all of them. A pair is valid until
	// the next one is asked for. Calls may be made within the loop. After an error nothing follows. A scan sees the
	// store at one moment or page by page; the engine relies on neither.
	Scan(ctx context.Context, r Range, limit int) iter.Seq2[Pair, error]

	// Commit applies b as a whole and durably: when it returns nil, b survives a power cut. After ErrFenced nothing was
	// applied, and neither after [job.ErrFull], which says that there is room for deletions alone. After any other error
	// nobody knows; the caller must read before it trusts its memory. The batch may be reused when Commit has returned.
	Commit(ctx context.Context, b *Batch) error

	// MaxBatch returns how many writes, and how many bytes of keys and values, one Commit can carry.
	MaxBatch() (writes, bytes int)
}

// A Pair is a key and its value.
type Pair struct {
	Key, Value []byte
}

// A Range is the keys from From, inclusive, to To, exclusive. A nil To is the end of the store.
type Range struct {
	From, To []byte
}

// Prefix returns the range of the keys that begin with p.
func Prefix(p []byte) Range {
	to := slices.Clone(p)
	for i := len(to) - 1; i >= 0; i-- {
		if to[i] < 0xff {
			to[i]++
			return Range{From: p, To: to[:i+1]}
		}
	}
	return Range{From: p}
}

// A Write sets a key, or removes it.
type Write struct {
	Key, Value []byte
	Remove     bool
}

// A Batch is writes that are applied together, at most one to a key: what a second one would do is not defined.
type Batch struct {
	// Fences are the writer's proofs that it owns what it writes: each is compared. A store that has one writer compares
	// nothing, and refuses a batch with fences.
	Fences []Fence
	// Writes may be applied in any order.
	Writes []Write
}

// A Fence is proof of ownership: the key of a claim, and the revision that last wrote it. The store checks both in the
// same step that applies a batch. Revision 0 says that there is no such key.
type Fence struct {
	Key      string
	Revision int64
}

// Put adds a write of value at key. The batch keeps both until it is committed.
func (b *Batch) Put(key, value []byte) {
	b.Writes = append(b.Writes, Write{Key: key, Value: value})
}

// Delete adds the removal of key, which need not be present. The batch keeps it until it is committed.
func (b *Batch) Delete(key []byte) {
	b.Writes = append(b.Writes, Write{Key: key, Remove: true})
}

// Reset empties b.
func (b *Batch) Reset() { b.Fences, b.Writes = b.Fences[:0], b.Writes[:0] }
