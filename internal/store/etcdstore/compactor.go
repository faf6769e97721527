package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/v3/concurrency"

	"carillon/internal/pause"
)

// Run keeps free space in etcd, as far as possible, until ctx ends; then it returns nil. It logs
// errors and retries.
func (s *Store) Run(ctx context.Context) error {
	watch := time.NewTicker(s.config.Watch)
	defer watch.Stop()
	k := compactor{store: s, next: time.Now().Add(s.config.Compact)}
	for {
		if err := k.runOnce(ctx, time.Now()); err != nil && ctx.Err() == nil {
			s.log.LogAttrs(ctx, slog.LevelWarn, "cannot compact or defragment etcd; retrying", slog.Any("err", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-watch.C:
		case <-s.capacity.wake:
		}
	}
}

// compactor decides when to compact and defragment.
type compactor struct {
	store    *Store
	next     time.Time // time of the next compaction
	revision int64     // the revision for the next compaction; 0 if not known yet
}

// runOnce checks the capacity of etcd, and reclaims space if that is due or urgent.
func (k *compactor) runOnce(ctx context.Context, now time.Time) error {
	l, err := k.store.checkCapacity(ctx)
	if err != nil {
		return err
	}
	if k.revision == 0 {
		k.revision = l.revision
	}
	due, urgent := !now.Before(k.next), k.store.Full() != nil || l.anyFragmented()
	if !due && !urgent {
		return nil
	}
	upto := k.revision
	if urgent {
		upto = l.revision
	}
	if due {
		k.next, k.revision = now.Add(k.store.config.Compact), l.revision
	}
	return k.store.withLock(ctx, func(ctx context.Context) error { return k.store.reclaim(ctx, upto) })
}

// withLock runs do unless another node holds the lock. If etcd is too full for the key of the lock,
// each node waits for a random time instead, and runs do if there is still no space.
func (s *Store) withLock(ctx context.Context, do func(context.Context) error) error {
	const ttl = 10 // seconds
	bounded, cancel := s.withTimeout(ctx)
	defer cancel()
	// The session must outlive the timeout of the calls that create it.
	lease, err := s.client.Grant(bounded, ttl)
	if errors.Is(err, rpctypes.ErrNoSpace) {
		pause.For(ctx, rand.N(s.config.Watch))
		if _, err := s.checkCapacity(ctx); err != nil || s.Full() == nil {
			return err
		}
		return do(ctx)
	}
	if err != nil {
		return fmt.Errorf("lock the compaction of etcd: %w", explain(bounded, err))
	}
	session, err := concurrency.NewSession(s.client, concurrency.WithLease(lease.ID), concurrency.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("lock the compaction of etcd: %w", err)
	}
	defer func() { _ = session.Close() }() // its lease also ends by itself
	err = concurrency.NewMutex(session, s.config.Prefix+"keeper").TryLock(bounded)
	switch {
	case errors.Is(err, concurrency.ErrLocked):
		return nil
	case err != nil && !errors.Is(err, rpctypes.ErrNoSpace):
		return fmt.Errorf("lock the compaction of etcd: %w", explain(bounded, err))
	}
	return do(ctx)
}
