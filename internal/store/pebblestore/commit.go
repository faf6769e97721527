package pebblestore

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"carillon/internal/store"
)

// Limits of a batch. Pebble flushes before a batch larger than half a memtable, so 4 MiB is well
// below 8. The number of writes limits how long other commits wait: ten thousand take a few
// milliseconds.
const (
	maxWrites = 10_000
	maxBytes  = 4 << 20
)

// MaxBatch returns 10,000 writes and 4 MiB.
func (*Store) MaxBatch() (writes, bytes int) { return maxWrites, maxBytes }

// Commit implements [store.Store]. It refuses a batch larger than MaxBatch or with fences. Once b
// is in the log, Commit waits for the disk and ignores ctx: on a full or hanging disk until it
// recovers or fails.
func (s *Store) Commit(ctx context.Context, b *store.Batch) error {
	if err := s.commit(ctx, b); err != nil {
		return fmt.Errorf("commit %d writes: %w", len(b.Writes), err)
	}
	return nil
}

func (s *Store) commit(ctx context.Context, b *store.Batch) error {
	size, err := check(b)
	if err != nil {
		return err
	}
	if err := s.beginCall(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	pb := s.db.NewBatchWithSize(size)
	if err := fill(pb, b); err != nil {
		return errors.Join(err, pb.Close())
	}
	if err := s.apply(ctx, pb); err != nil {
		return errors.Join(err, pb.Close())
	}
	// The order matters: a disk that fails is noted before the sync that met the failure returns.
	if err := errors.Join(pb.SyncWait(), s.failure()); err != nil {
		return err // pb is left to the collector: Pebble may still hold it
	}
	return pb.Close()
}

// apply adds pb to the log and the memtable, one caller at a time. After an error pb is in neither.
func (s *Store) apply(ctx context.Context, pb *pebble.Batch) error {
	select {
	case s.applying <- struct{}{}:
		defer func() { <-s.applying }()
	case <-s.disk.failed:
		return s.failure()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.failure(); err != nil {
		return err
	}
	return s.db.ApplyNoSyncWait(pb, pebble.Sync)
}

// check returns the size of b in Pebble's encoding, rounded up, or an error if b is invalid.
func check(b *store.Batch) (size int, err error) {
	const header, perWrite = 12, 11 // a kind and two lengths
	if len(b.Fences) > 0 {
		return 0, fmt.Errorf("the batch has %d fences, but this store has a single writer and supports none: write without fences", len(b.Fences))
	}
	n := 0
	for _, w := range b.Writes {
		n += len(w.Key) + len(w.Value)
	}
	if len(b.Writes) > maxWrites || n > maxBytes {
		return 0, fmt.Errorf("%d bytes in %d writes exceed a batch of %d bytes in %d writes: split it",
			n, len(b.Writes), maxBytes, maxWrites)
	}
	return header + n + perWrite*len(b.Writes), nil
}

// fill copies the writes of b into pb.
func fill(pb *pebble.Batch, b *store.Batch) error {
	for _, w := range b.Writes {
		var err error
		if w.Remove {
			err = pb.Delete(w.Key, nil)
		} else {
			err = pb.Set(w.Key, w.Value, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
