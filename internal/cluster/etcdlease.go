package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"carillon/internal/pause"
)

// leaseMultiple is the TTL of a lease in heartbeat TTLs. The lease matters only if no node is left
// to watch the heartbeats, so a long TTL costs little and loses no sessions.
const leaseMultiple = 4

// newSession gets a lease and returns a session on it.
func (e *Etcd) newSession(ctx context.Context) (*etcdSession, error) {
	begin := time.Now()
	bounded, cancel := context.WithTimeout(ctx, max(e.config.TTL, releaseTimeout))
	defer cancel()
	length := leaseMultiple * e.config.TTL
	resp, err := e.client.Grant(bounded, int64((length+time.Second-1)/time.Second))
	if err != nil {
		return nil, fmt.Errorf("get a lease of %v: %w", length, err)
	}
	s := &etcdSession{etcd: e, lease: resp.ID, start: begin, leaseTTL: time.Duration(resp.TTL) * time.Second, heartbeatTTL: e.config.TTL}
	s.extend(&s.leaseUntil, begin, s.leaseTTL)
	return s, nil
}

// revoke revokes the lease, so that no node waits for its expiry.
func (s *etcdSession) revoke(ctx context.Context) {
	bounded, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), revokeTimeout)
	defer cancel()
	_, err := s.etcd.client.Revoke(bounded, s.lease)
	if err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		s.etcd.log.LogAttrs(ctx, slog.LevelInfo, "cannot revoke the lease; other nodes will detect the missing heartbeats", slog.Any("err", err))
	}
}

// keepAlive keeps the session alive until ctx ends or the session is lost. It reports whether the
// session is alive.
func (s *etcdSession) keepAlive(ctx context.Context) bool {
	ctx, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() {
		for ctx.Err() == nil && s.Alive() {
			s.renewLease(ctx)
			pause.For(ctx, s.leaseTTL/20)
		}
	})
	// A heartbeat does not wait for the previous one, whose etcd member may be lost or may wait for a
	// leader.
	for ctx.Err() == nil && s.Alive() {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, s.remaining())
			defer cancel()
			_, _ = s.heartbeat(ctx) // the next one may succeed
		})
		pause.For(ctx, min(s.heartbeatTTL/heartbeats, s.remaining()))
	}
	return s.Alive()
}

// heartbeats is the number of heartbeats per heartbeat TTL.
const heartbeats = 5

// heartbeat writes one heartbeat, and returns its revision; the first one begins the session. If
// another node has ended the session, heartbeat marks it as lost.
func (s *etcdSession) heartbeat(ctx context.Context) (revision int64, err error) {
	asked, key := time.Now(), s.etcd.heartbeatKey(s.lease)
	resp, err := s.etcd.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(key), "=", s.firstHeartbeat)).
		Then(clientv3.OpPut(key, s.heartbeatTTL.String(), clientv3.WithLease(s.lease))).Commit()
	switch {
	case err != nil:
		return 0, err
	case !resp.Succeeded:
		s.lost.Store(true)
		return 0, ErrLost
	}
	s.extend(&s.heartbeatUntil, asked, s.heartbeatTTL)
	return resp.Header.Revision, nil
}

// renewLease renews the lease over one stream, until the stream fails or a response is slow:
// another stream may reach another member of etcd.
func (s *etcdSession) renewLease(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	deadline := time.AfterFunc(s.leaseTTL/8, cancel)
	defer deadline.Stop()
	stream, err := clientv3.RetryLeaseClient(s.etcd.client).LeaseKeepAlive(ctx)
	if err != nil {
		return
	}
	for {
		asked := time.Now()
		if err := stream.Send(&etcdserverpb.LeaseKeepAliveRequest{ID: int64(s.lease)}); err != nil {
			return
		}
		resp, err := stream.Recv()
		switch {
		case err != nil:
			return
		case resp.TTL <= 0:
			s.lost.Store(true)
			return
		}
		s.extend(&s.leaseUntil, asked, s.leaseTTL)
		deadline.Stop()
		pause.For(ctx, s.leaseTTL/4)
		if ctx.Err() != nil {
			return
		}
		deadline.Reset(s.leaseTTL / 8)
	}
}
