package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// Run keeps room in etcd, as far as it can, until ctx ends; then it returns nil. Errors are logged, and tried again.
func (s *Store) Run(ctx context.Context) error {
	watch := time.NewTicker(s.config.Watch)
	defer watch.Stop()
	k := compactor{store: s, next: time.Now().Add(s.config.Compact)}
	for {
		if err := k.runOnce(ctx, time.Now()); err != nil && ctx.Err() == nil {
			s.log.LogAttrs(ctx, slog.LevelWarn, "cannot keep room in etcd, it is tried again", slog.Any("err", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-watch.C:
		case <-s.capacity.wake:
		}
	}
}

// A keeper looks after etcd's room.
type compactor struct {
	store    *Store
	next     time.Time // when to compact
	revision int64     // the revision up to which to compact then; 0 if it is not known yet
}

// turn looks at etcd's room, and makes some if that is wanted or due.
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

func (l status) anyFragmented() bool {
	for _, u := range l.members {
		if u.fragmented() {
			return true
		}
	}
	return false
}

// alone runs do unless another node is at it. When etcd is so full that it has no room for the mark of that, nodes wait
// for different times instead, and do is run if there is no room then.
func (s *Store) withLock(ctx context.Context, do func(context.Context) error) error {
	const ttl = 10 // seconds
	bounded, cancel := s.withTimeout(ctx)
	defer cancel()
	// The session outlives the bound of the calls that make it.
	lease, err := s.client.Grant(bounded, ttl)
	if errors.Is(err, rpctypes.ErrNoSpace) {
		pause(ctx, rand.N(s.config.Watch))
		if _, err := s.checkCapacity(ctx); err != nil || s.Full() == nil {
			return err
		}
		return do(ctx)
	}
	if err != nil {
		return fmt.Errorf("take the turn: %w", explain(bounded, err))
	}
	session, err := concurrency.NewSession(s.client, concurrency.WithLease(lease.ID), concurrency.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("take the turn: %w", err)
	}
	defer func() { _ = session.Close() }() // its lease ends by itself too
	err = concurrency.NewMutex(session, s.config.Prefix+"keeper").TryLock(bounded)
	switch {
	case errors.Is(err, concurrency.ErrLocked):
		return nil
	case err != nil && !errors.Is(err, rpctypes.ErrNoSpace):
		return fmt.Errorf("take the turn: %w", explain(bounded, err))
	}
	return do(ctx)
}

// makeRoom throws away what is older than the revision, writes sparse files afresh, and lifts the alarms of members
// that have room.
func (s *Store) reclaim(ctx context.Context, revision int64) error {
	if err := s.compact(ctx, revision); err != nil {
		return err
	}
	l, err := s.checkCapacity(ctx)
	if err != nil {
		return err
	}
	before := map[uint64]int64{}
	for _, u := range l.members {
		before[u.id] = u.file
		if u.fragmented() || len(l.alarms) > 0 && u.relievedByDefrag() {
			if err := s.defragment(ctx, u); err != nil {
				return err
			}
		}
	}
	if len(l.alarms) == 0 {
		return nil
	}
	if l, err = s.checkCapacity(ctx); err != nil {
		return err
	}
	for _, a := range l.alarms {
		for _, u := range l.members {
			if u.id == a.MemberID && u.belowQuota(before[u.id]) {
				if err := s.disarm(ctx, a); err != nil {
					return err
				}
			}
		}
	}
	_, err = s.checkCapacity(ctx)
	return err
}

// compact throws away what is older than the revision, and waits until that is done.
func (s *Store) compact(ctx context.Context, revision int64) error {
	ctx, cancel := context.WithTimeout(ctx, compactTime)
	defer cancel()
	_, err := s.client.Compact(ctx, revision, clientv3.WithCompactPhysical())
	if err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
		return fmt.Errorf("compact etcd: %w", err)
	}
	return nil
}

// How long it may take to compact, and to write one member's file afresh.
const (
	compactTime    = time.Minute
	defragmentTime = 5 * time.Minute
)

// defragment writes u's file afresh. Meanwhile that member answers nobody.
func (s *Store) defragment(ctx context.Context, u memberStatus) error {
	ctx, cancel := context.WithTimeout(ctx, defragmentTime)
	defer cancel()
	begin := time.Now()
	if _, err := s.client.Defragment(ctx, u.endpoint); err != nil {
		return fmt.Errorf("defragment %s of etcd: %w", u.name, err)
	}
	s.log.LogAttrs(ctx, slog.LevelInfo, "defragmented a member of etcd", slog.String("member", u.name),
		slog.Int64("file_bytes", u.file), slog.Int64("used_bytes", u.used), slog.Duration("took", time.Since(begin)))
	return nil
}

// disarm lifts an alarm.
func (s *Store) disarm(ctx context.Context, a *etcdserverpb.AlarmMember) error {
	ctx, cancel := s.withTimeout(ctx)
	defer cancel()
	if _, err := s.client.AlarmDisarm(ctx, (*clientv3.AlarmMember)(a)); err != nil {
		return fmt.Errorf("lift etcd's alarm: %w", explain(ctx, err))
	}
	return nil
}
