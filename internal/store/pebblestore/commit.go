package pebblestore

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"carillon/internal/store"
)

// The bounds of a batch. A batch that is more than half a memtable takes a slow road in Pebble, by way of a flush, so
// 4 MiB keeps clear of 8. The number of writes bounds how long others wait for their turn: ten thousand take some
// milliseconds.
const (
	maxWrites = 10_000
	maxBytes  = 4 << 20
)

// MaxBatch returns 10,000 writes and 4 MiB.
func (*Store) MaxBatch() (writes, bytes int) { return maxWrites, maxBytes }

// Commit keeps the contract of [store.Store]. A batch larger than MaxBatch is refused, and one with fences, which it has
// nothing to compare with. Once b has entered the log,
// Commit waits for the disk and not for ctx; on a disk that is full or hangs, that is until it recovers or fails.
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

// apply puts pb into the log and the memtable, in turn. After an error pb is in neither.
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

// check returns how many bytes b takes in Pebble's encoding, with some to spare.
func check(b *store.Batch) (size int, err error) {
	const header, perWrite = 12, 11 // a kind and two lengths
	if len(b.Fences) > 0 {
		return 0, fmt.Errorf("the batch has %d fences, and this store has one writer and compares none: write without them", len(b.Fences))
	}
	n := 0
	for _, w := range b.Writes {
		n += len(w.Key) + len(w.Value)
	}
	if len(b.Writes) > maxWrites || n > maxBytes {
		return 0, fmt.Errorf("%d bytes in %d writes are too much for one batch, which carries %d in %d: split it",
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
