// Package store is the contract between the engine and the database of its records: an ordered
// key-value store whose writes come in batches. Each batch is durable and fenced as a whole.
//
// The contract is narrow on purpose: ordered keys, scans and atomic batches are all that the engine
// needs. The test suite in storetest checks it; an engine can run on any store that passes.
package store

import (
	"context"
	"errors"
	"iter"
	"slices"
)

// ErrFenced means that a batch was refused because its writer is no longer the owner of its
// partition. Nothing was applied.
var ErrFenced = errors.New("fenced: no longer the owner")

// A Store is an ordered key-value database. Keys are compared byte by byte and are not empty. It is
// safe for concurrent use.
type Store interface {
	// Get returns the value of each key, or nil if the key does not exist; an existing empty value
	// is not nil. All values are of one moment. The caller owns them. A call costs one round trip.
	Get(ctx context.Context, keys ...[]byte) ([][]byte, error)

	// Scan yields the pairs of r in key order, limit at most; a limit of zero means all. A pair is
	// valid until the next iteration. The loop may call the store. An error ends the scan. A scan
	// reads one moment, or page by page; the engine relies on neither.
	Scan(ctx context.Context, r Range, limit int) iter.Seq2[Pair, error]

	// Commit applies b as a whole and durably: when it returns nil, b survives a power cut. After
	// ErrFenced nothing was applied, nor after [job.ErrFull], which means that only deletions are
	// possible. After any other error the result is unknown: the caller must read before it trusts
	// its memory. The batch may be reused when Commit has returned.
	Commit(ctx context.Context, b *Batch) error

	// MaxBatch returns the maximum number of writes, and of bytes of keys and values, in one
	// Commit.
	MaxBatch() (writes, bytes int)
}

// A Pair is a key and its value.
type Pair struct {
	Key, Value []byte
}

// A Range is the keys from From, inclusive, to To, exclusive. A nil To means the end of the store.
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

// A Batch is writes that are applied together. It has at most one write for each key; the result of
// a second one is undefined.
type Batch struct {
	// Fences prove that the writer owns what it writes; the store compares each. A store with a
	// single writer refuses a batch with fences.
	Fences []Fence
	// Writes may be applied in any order.
	Writes []Write
}

// A Fence is a proof of ownership: the key of a claim, and the revision that last wrote it. The
// store compares both in the step that applies the batch. Revision 0 means that the key does not
// exist.
type Fence struct {
	Key      string
	Revision int64
}

// Put adds a write of value at key. The batch keeps both slices until it is committed.
func (b *Batch) Put(key, value []byte) {
	b.Writes = append(b.Writes, Write{Key: key, Value: value})
}

// Delete adds the removal of key, which need not exist. The batch keeps the slice until it is
// committed.
func (b *Batch) Delete(key []byte) {
	b.Writes = append(b.Writes, Write{Key: key, Remove: true})
}

// Reset empties b.
func (b *Batch) Reset() { b.Fences, b.Writes = b.Fences[:0], b.Writes[:0] }
