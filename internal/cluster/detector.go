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
)

// A heartbeat is the latest that was seen of another session.
type heartbeat struct {
	revision int64
	ttl      time.Duration // how long to wait for the next
	seen     time.Time
}

// detectFailures ends the sessions that show no heartbeat any more, until ctx ends. It is each session's duty, and they need
// not agree: a session is ended by one transaction, which etcd applies only if there was no heartbeat since the one that was
// seen last, and after which no further one is possible. A session counts from before it asks for its heartbeat, and the
// detector from when it sees that, so the session has stopped by itself when its lease is revoked.
func (s *etcdSession) detectFailures(ctx context.Context) {
	d := &detector{session: s, latest: map[string]heartbeat{}}
	for ctx.Err() == nil {
		if err := d.watch(ctx); err != nil && ctx.Err() == nil {
			s.etcd.log.LogAttrs(ctx, slog.LevelDebug, "cannot watch the heartbeats; watching again", slog.Any("err", err))
		}
		pause(ctx, minBackoff)
	}
}

// A detector knows the heartbeats of the other sessions.
type detector struct {
	session *etcdSession
	latest  map[string]heartbeat // by the key of the heartbeat
}

// watch detects failures for as long as heartbeats can be watched.
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

// note takes down a heartbeat, unless it is the session's own, or was seen before.
func (d *detector) record(kv *mvccpb.KeyValue) {
	key := string(kv.Key)
	if key == d.session.etcd.heartbeatKey(d.session.lease) || d.latest[key].revision == kv.ModRevision {
		return
	}
	lasts, err := time.ParseDuration(string(kv.Value))
	if err != nil {
		delete(d.latest, key) // it is nothing of ours: its lease ends it
		return
	}
	d.latest[key] = heartbeat{kv.ModRevision, lasts, time.Now()}
}

// next returns how long no session can be overdue.
func (d *detector) untilExpiry() time.Duration {
	next := time.Minute
	for _, h := range d.latest {
		next = min(next, h.ttl-time.Since(h.seen))
	}
	return next
}

// endDead ends the sessions that are overdue.
func (d *detector) endExpired(ctx context.Context) {
	for key, h := range d.latest {
		if time.Since(h.seen) < h.ttl {
			continue
		}
		if err := d.endSession(ctx, key, h); err != nil && ctx.Err() == nil {
			h.seen = time.Now().Add(minBackoff - h.ttl) // to be tried again
			d.latest[key] = h
			d.session.etcd.log.LogAttrs(ctx, slog.LevelDebug, "cannot end a session without heartbeats; trying again", slog.Any("err", err))
		}
	}
}

// end ends a session that has shown no heartbeat since h.
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

// revoke revokes the lease of a session whose heartbeats have ended, and forgets it. If the node that ended it is lost before
// this, another detector does it, or at last etcd.
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
		e.log.LogAttrs(ctx, slog.LevelInfo, "cannot end the lease of a lost node; it ends by itself", slog.Any("err", err))
	}
}
