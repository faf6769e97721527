package record

import (
	"context"
	"iter"

	"carillon/internal/encryption"
	"carillon/internal/store"
)

// An EncryptedStore seals the specs of jobs, payloads included, on their way into another store.
// Keys and states stay readable on the disk: they hold the names of jobs and when each is due.
type EncryptedStore struct {
	store.Store
	Keys *encryption.Keys
}

// Get implements [store.Store].
func (s EncryptedStore) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	values, err := s.Store.Get(ctx, keys...)
	for i, v := range values {
		values[i] = s.open(keys[i], v)
	}
	return values, err
}

// Scan implements [store.Store].
func (s EncryptedStore) Scan(ctx context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		for p, err := range s.Store.Scan(ctx, r, limit) {
			if err == nil {
				p.Value = s.open(p.Key, p.Value)
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// Commit implements [store.Store].
func (s EncryptedStore) Commit(ctx context.Context, b *store.Batch) error {
	sealed := *b
	sealed.Writes = make([]store.Write, len(b.Writes))
	for i, w := range b.Writes {
		if !w.Remove && w.Key[0] == tagJob {
			w.Value = Seal(s.Keys, w.Key, w.Value)
		}
		sealed.Writes[i] = w
	}
	return s.Store.Commit(ctx, &sealed)
}

// MaxBatch implements [store.Store]. It leaves space for the envelopes.
func (s EncryptedStore) MaxBatch() (writes, bytes int) {
	writes, bytes = s.Store.MaxBatch()
	return writes, max(bytes/2, bytes-writes*sealedSize(s.Keys, 0))
}

// open returns the spec in an envelope. An envelope that does not open is returned as it is:
// decoding it fails, which affects its job alone.
func (s EncryptedStore) open(key, value []byte) []byte {
	if !IsSealed(value) || !IsJob(key) {
		return value
	}
	spec, err := Open(s.Keys, key, value)
	if err != nil {
		return value
	}
	return spec
}
