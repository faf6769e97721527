package pebblestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"carillon/internal/store"
)

// Get implements [store.Store]; all values are of one moment.
func (s *Store) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	values, err := s.get(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("get %d keys: %w", len(keys), err)
	}
	return values, nil
}

func (s *Store) get(ctx context.Context, keys [][]byte) (_ [][]byte, err error) {
	if err := s.beginCall(ctx); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	it, err := s.db.NewIterWithContext(ctx, nil) // one iterator, so that all values are of one moment
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	values := make([][]byte, len(keys))
	for i, k := range keys {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !seek(it, k) {
			if err := it.Error(); err != nil {
				return nil, err
			}
			continue
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, err
		}
		values[i] = append([]byte{}, v...)
	}
	return values, nil
}

// seek moves it to the key, and reports whether the key exists.
func seek(it *pebble.Iterator, key []byte) bool {
	if len(key) == 0 { // of a damaged store: Pebble's own checks do not take it for a prefix
		return it.First() && len(it.Key()) == 0
	}
	return it.SeekPrefixGE(key) // the prefix of a key is all of it
}

// Scan implements [store.Store]. It reads a snapshot of the moment when the iteration starts, which
// is kept until it ends.
func (s *Store) Scan(ctx context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		if err := s.scan(ctx, r, limit, func(p store.Pair) bool { return yield(p, nil) }); err != nil {
			yield(store.Pair{}, fmt.Errorf("scan: %w", err))
		}
	}
}

// scan passes pairs to yield until yield returns false, which is not an error.
func (s *Store) scan(ctx context.Context, r store.Range, limit int, yield func(store.Pair) bool) error {
	if err := s.beginCall(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	if r.To != nil && bytes.Compare(r.From, r.To) >= 0 {
		return nil
	}
	opts := &pebble.IterOptions{UpperBound: r.To}
	if len(r.From) > 0 { // Pebble takes an empty bound for a mistake, and its own checks end the process
		opts.LowerBound = r.From
	}
	it, err := s.db.NewIterWithContext(ctx, opts)
	if err != nil {
		return err
	}
	more, err := pairs(ctx, it, limit, yield)
	err = errors.Join(err, it.Close())
	if !more {
		return nil // the consumer has left and hears nothing more
	}
	return err
}

// pairs passes at most limit pairs of it to yield, and reports whether yield has not returned
// false.
func pairs(ctx context.Context, it *pebble.Iterator, limit int, yield func(store.Pair) bool) (more bool, err error) {
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		if err := ctx.Err(); err != nil {
			return true, err
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return true, err
		}
		if !yield(store.Pair{Key: it.Key(), Value: v}) {
			return false, nil
		}
		if n++; n == limit {
			return true, nil
		}
	}
	return true, it.Error()
}
