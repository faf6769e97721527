package cluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// An etcdSession is a session on a lease of etcd. It shows that it is alive by heartbeats, which the other sessions watch:
// see detector.
type etcdSession struct {
	etcd           *Etcd
	lease          clientv3.LeaseID
	leaseTTL       time.Duration // how long etcd keeps the lease without a renewal
	heartbeatTTL   time.Duration // how long others wait for a heartbeat
	firstHeartbeat int64         // the revision of the first heartbeat; 0 before it
	node           Node
	onEnd          func(f func()) (stop func() bool) // calls f when the session ends

	start          time.Time    // of the counts below, by the monotonic clock
	heartbeatUntil atomic.Int64 // when others may take the session for dead, in nanoseconds from begin
	leaseUntil     atomic.Int64 // when its lease may end
	lost           atomic.Bool  // somebody was told that it is not alive
}

// Alive is [Session.Alive].
func (s *etcdSession) Alive() bool {
	if s.remaining() <= 0 {
		s.lost.Store(true)
	}
	return !s.lost.Load()
}

// left returns how long the session lasts without another heartbeat or renewal.
func (s *etcdSession) remaining() time.Duration {
	return time.Duration(min(s.heartbeatUntil.Load(), s.leaseUntil.Load())) - time.Since(s.start)
}

// prolong notes that etcd has answered what was asked at that time: with it, something lasts for so long. Others count
// from when they see it, which is later; an eighth is for clocks that run at other speeds, and for what is on its way in
// the end.
func (s *etcdSession) extend(until *atomic.Int64, asked time.Time, lasts time.Duration) {
	next := int64(asked.Sub(s.start) + lasts - lasts/8)
	for {
		now := until.Load()
		if now >= next || until.CompareAndSwap(now, next) {
			return
		}
	}
}

// keepAlive keeps the session alive until ctx ends, or it is lost. It reports whether it still lasts.
func (s *etcdSession) keepAlive(ctx context.Context) bool {
	ctx, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() {
		for ctx.Err() == nil && s.Alive() {
			s.renewLease(ctx)
			pause(ctx, s.leaseTTL/20)
		}
	})
	// One heartbeat does not wait for the one before: that may have gone to a member of etcd that is lost, or to one that
	// has to wait for a leader.
	for ctx.Err() == nil && s.Alive() {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, s.remaining())
			defer cancel()
			_, _ = s.heartbeat(ctx) // another one may come through
		})
		pause(ctx, min(s.heartbeatTTL/heartbeats, s.remaining()))
	}
	return s.Alive()
}

// heartbeats is how many there are in the time that others wait for one.
const heartbeats = 5

// heartbeatsKey is what the keys of heartbeats begin with. They are not among the keys about members, so that those who
// watch the members do not see each.
func (e *Etcd) heartbeatsKey() string { return e.config.Prefix + "heartbeat/" }

func (e *Etcd) heartbeatKey(lease clientv3.LeaseID) string {
	return fmt.Sprintf("%s%016x", e.heartbeatsKey(), int64(lease))
}

// leaseOf returns the lease whose heartbeats have the key.
func (e *Etcd) leaseOf(heartbeatKey string) (clientv3.LeaseID, error) {
	id, err := strconv.ParseInt(strings.TrimPrefix(heartbeatKey, e.heartbeatsKey()), 16, 64)
	return clientv3.LeaseID(id), err
}

// heartbeat shows once that the session is alive, and returns the revision of that; the first one begins it. When others
// have taken it for dead, it is lost.
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

// renewals renews the lease over one stream, until that fails or an answer takes long: another one may lead to another
// member of etcd.
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
		pause(ctx, s.leaseTTL/4)
		if ctx.Err() != nil {
			return
		}
		deadline.Reset(s.leaseTTL / 8)
	}
}
