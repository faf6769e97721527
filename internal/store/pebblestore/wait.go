package pebblestore

import (
	"context"
	"sync"
	"time"

	"carillon/internal/store/datadir"
)

// Wait blocks until the store has failed and returns the reason, or until ctx ends and returns nil.
// A failure loses nothing that was acknowledged; the package comment says how to recover. While
// Wait blocks, it checks once a second that the directory is in place, and frees the space of
// deleted records on a full disk: neither with [Config].NoTickers.
func (s *Store) Wait(ctx context.Context) error {
	var look <-chan time.Time
	if !s.noTickers {
		ctx, cancel := context.WithCancel(ctx)
		var reclaiming sync.WaitGroup
		reclaiming.Go(func() { s.reclaimWhileFull(ctx) })
		defer reclaiming.Wait()
		defer cancel()
		t := time.NewTicker(datadir.Interval)
		defer t.Stop()
		look = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.disk.failed:
			return s.failure()
		case <-look:
			if err := s.disk.checkPresent(); err != nil {
				s.disk.fail(err)
			}
		}
	}
}
