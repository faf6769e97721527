package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"carillon/internal/pause"
)

// heartbeat is the last heartbeat seen of another session.
type heartbeat struct {
	revision int64
	ttl      time.Duration // how long to wait for the next
	seen     time.Time
}

// detectFailures ends sessions without heartbeats, until ctx ends. Each session does so, and they
// need not agree: one transaction ends a session. Etcd applies it only if there was no heartbeat
// since the last one seen, and no further heartbeat is possible after it. A session measures its
// TTL from before it requests its heartbeat, and the detector from when it sees the heartbeat. So
// the session has stopped by itself when its lease is revoked.
func (s *etcdSession) detectFailures(ctx context.Context) {
	d := &detector{session: s, latest: map[string]heartbeat{}}
	for ctx.Err() == nil {
		if err := d.watch(ctx); err != nil && ctx.Err() == nil {
			s.etcd.log.LogAttrs(ctx, slog.LevelDebug, "cannot watch the heartbeats; retrying", slog.Any("err", err))
		}
		pause.For(ctx, minBackoff)
	}
}

// detector tracks the heartbeats of other sessions.
type detector struct {
	session *etcdSession
	latest  map[string]heartbeat // by heartbeat key
}

// watch detects failures until it cannot watch the heartbeats.
func (d *detector) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e := d.session.etcd
	all, err := e.client.Get(ctx, e.heartbeatsKey(), clientv3.WithPrefix())
	if err != nil {
		return err
	}
	present := map[string]bool{}
	for _, kv := range all.Kvs {
		present[string(kv.Key)] = true
		d.record(kv)
	}
	for key := range d.latest {
		if !present[key] {
			d.revoke(ctx, key)
		}
	}
	changes := e.client.Watch(ctx, e.heartbeatsKey(), clientv3.WithPrefix(), clientv3.WithRev(all.Header.Revision+1))
	for {
		timer := time.NewTimer(d.untilExpiry())
		select {
		case resp, ok := <-changes:
			timer.Stop()
			if !ok || resp.Err() != nil {
				return resp.Err()
			}
			for _, event := range resp.Events {
				if event.Type == mvccpb.DELETE {
					d.revoke(ctx, string(event.Kv.Key))
				} else {
					d.record(event.Kv)
				}
			}
		case <-timer.C:
			d.endExpired(ctx)
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// record records a heartbeat, unless it is the session's own or already known.
func (d *detector) record(kv *mvccpb.KeyValue) {
	key := string(kv.Key)
	if key == d.session.etcd.heartbeatKey(d.session.lease) || d.latest[key].revision == kv.ModRevision {
		return
	}
	lasts, err := time.ParseDuration(string(kv.Value))
	if err != nil {
		delete(d.latest, key) // an unknown format: its lease will end it
		return
	}
	d.latest[key] = heartbeat{kv.ModRevision, lasts, time.Now()}
}

// untilExpiry returns how long no session can expire.
func (d *detector) untilExpiry() time.Duration {
	next := time.Minute
	for _, h := range d.latest {
		next = min(next, h.ttl-time.Since(h.seen))
	}
	return next
}

// endExpired ends the expired sessions.
func (d *detector) endExpired(ctx context.Context) {
	for key, h := range d.latest {
		if time.Since(h.seen) < h.ttl {
			continue
		}
		if err := d.endSession(ctx, key, h); err != nil && ctx.Err() == nil {
			h.seen = time.Now().Add(minBackoff - h.ttl) // retry after minBackoff
			d.latest[key] = h
			d.session.etcd.log.LogAttrs(ctx, slog.LevelDebug, "cannot end a session without heartbeats; retrying", slog.Any("err", err))
		}
	}
}

// endSession ends a session that has written no heartbeat since h.
func (d *detector) endSession(ctx context.Context, key string, h heartbeat) error {
	bounded, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	resp, err := d.session.etcd.client.Txn(bounded).
		If(clientv3.Compare(clientv3.ModRevision(key), "=", h.revision)).
		Then(clientv3.OpDelete(key)).Else(clientv3.OpGet(key)).Commit()
	if err != nil {
		return fmt.Errorf("end the session of %q: %w", key, err)
	}
	if !resp.Succeeded {
		for _, kv := range resp.Responses[0].GetResponseRange().Kvs {
			d.record(kv)
			return nil
		}
	}
	d.revoke(ctx, key)
	return nil
}

// revoke revokes the lease of an ended session, and forgets the session. If this node is lost
// before that, another detector revokes it, or the lease expires.
func (d *detector) revoke(ctx context.Context, key string) {
	delete(d.latest, key)
	e := d.session.etcd
	lease, err := e.leaseOf(key)
	if err != nil || lease == d.session.lease {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	if _, err := e.client.Revoke(bounded, lease); err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) && ctx.Err() == nil {
		e.log.LogAttrs(ctx, slog.LevelInfo, "cannot revoke the lease of a lost node; it will expire", slog.Any("err", err))
	}
}
