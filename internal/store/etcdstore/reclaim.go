package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// reclaim compacts up to the revision, defragments fragmented members, and disarms the alarms of
// members with free space.
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

// compact removes the revisions before revision, and waits until that is done.
func (s *Store) compact(ctx context.Context, revision int64) error {
	ctx, cancel := context.WithTimeout(ctx, compactTime)
	defer cancel()
	_, err := s.client.Compact(ctx, revision, clientv3.WithCompactPhysical())
	if err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
		return fmt.Errorf("compact etcd: %w", err)
	}
	return nil
}

// Timeouts of a compaction, and of the defragmentation of one member.
const (
	compactTime    = time.Minute
	defragmentTime = 5 * time.Minute
)

// defragment rewrites the database of a member. The member does not respond meanwhile.
func (s *Store) defragment(ctx context.Context, u memberSize) error {
	ctx, cancel := context.WithTimeout(ctx, defragmentTime)
	defer cancel()
	begin := time.Now()
	if _, err := s.client.Defragment(ctx, u.endpoint); err != nil {
		return fmt.Errorf("defragment %s of etcd: %w", u.name, err)
	}
	s.log.LogAttrs(ctx, slog.LevelInfo, "defragmented an etcd member", slog.String("member", u.name),
		slog.Int64("file_bytes", u.file), slog.Int64("used_bytes", u.used), slog.Duration("took", time.Since(begin)))
	return nil
}

// disarm disarms an alarm.
func (s *Store) disarm(ctx context.Context, a *etcdserverpb.AlarmMember) error {
	ctx, cancel := s.withTimeout(ctx)
	defer cancel()
	if _, err := s.client.AlarmDisarm(ctx, (*clientv3.AlarmMember)(a)); err != nil {
		return fmt.Errorf("disarm etcd's alarm: %w", explain(ctx, err))
	}
	return nil
}
