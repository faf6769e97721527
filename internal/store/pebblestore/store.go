package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"carillon/internal/store"
	"carillon/internal/store/datadir"
	"carillon/internal/store/diskspace"
)

var _ store.Store = (*Store)(nil)

// Store is a [store.Store] in a Pebble database. It is safe for concurrent use.
type Store struct {
	dir       string
	db        *pebble.DB
	disk      *disk
	space     *diskspace.Watch
	noTickers bool // from Config
	// health watches the disk while the store is open.
	health io.Closer
	// applying is held while a batch is added to the log and the memtable, but not during its sync:
	// so batches of many callers share one sync.
	applying chan struct{}

	mu     sync.Mutex
	closed bool           // guarded by mu
	calls  sync.WaitGroup // calls in progress; Add under mu, before closed
}

// errClosed is the error of calls after Close.
var errClosed = errors.New("the store is closed")

// Full returns why no new jobs should be stored because of the disk, or nil: see [diskspace.Watch].
func (s *Store) Full() error { return s.space.Full() }

// DiskUsage returns the free space and the size of the disk of the store.
func (s *Store) DiskUsage() (diskspace.Usage, error) { return s.disk.usage(s.dir) }

// Close waits for the calls in progress, scans included, and releases the directory. Later calls
// return an error.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.disk.cancelRetries()
	s.calls.Wait()
	err := errors.Join(s.db.Close(), s.disk.checksum.close(), s.disk.guard.Close(), s.health.Close())
	// What Pebble says about closing on a disk that has failed is an echo of the failure, which the calls returned.
	if err != nil && s.disk.failure() == nil {
		return fmt.Errorf("close the store in %q: %w", s.dir, err)
	}
	return nil
}

// beginCall begins a call, or returns an error if the store has failed or is closed. The caller
// must call s.calls.Done() at the end.
func (s *Store) beginCall(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.failure(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	s.calls.Add(1)
	return nil
}

// failure returns why the store has failed, or nil.
func (s *Store) failure() error {
	switch err := s.disk.failure(); {
	case errors.Is(err, datadir.ErrReplaced):
		return fmt.Errorf("the store in %q has failed: %w", s.dir, err)
	case err != nil:
		return fmt.Errorf("the store in %q has failed and must be reopened; acknowledged data is safe: %w", s.dir, err)
	}
	return nil
}
