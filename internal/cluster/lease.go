package cluster

import (
	"context"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// An etcdSession is a session on a lease of etcd.
type etcdSession struct {
	etcd  *Etcd
	lease clientv3.LeaseID
	ttl   time.Duration // that etcd has granted
	node  Node
	atEnd func(f func()) (stop func() bool) // calls f when the session ends

	begin time.Time    // of the count below, by the monotonic clock
	until atomic.Int64 // when the node takes its lease for ended, in nanoseconds from begin
}

// Alive is [Session.Alive].
func (s *etcdSession) Alive() bool { return s.left() > 0 }

// left returns how much of the lease is left.
func (s *etcdSession) left() time.Duration {
	return time.Duration(s.until.Load()) - time.Since(s.begin)
}

// renewed notes that etcd has answered what was asked at that time. etcd counts the lease from when it was asked, which
// is later; an eighth of it is for clocks that run at other speeds, and for what is on its way when the lease ends.
func (s *etcdSession) renewed(asked time.Time) {
	s.until.Store(int64(asked.Sub(s.begin) + s.ttl - s.ttl/8))
}

// keepAlive renews the lease until ctx ends, or it is lost. It reports whether it still lasts.
func (s *etcdSession) keepAlive(ctx context.Context) bool {
	for ctx.Err() == nil && s.Alive() {
		s.renewals(ctx)
		pause(ctx, min(s.ttl/20, s.left()))
	}
	return s.Alive()
}

// renewals renews the lease over one stream, until that fails or an answer takes long: another one may lead to another
// member of etcd.
func (s *etcdSession) renewals(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	patience := time.AfterFunc(s.patience(), cancel)
	defer patience.Stop()
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
		case err != nil || !s.Alive(): // once it was lost, it stays so
			return
		case resp.TTL <= 0:
			s.until.Store(0)
			return
		}
		s.renewed(asked)
		patience.Stop()
		pause(ctx, s.ttl/4)
		if ctx.Err() != nil {
			return
		}
		patience.Reset(s.patience())
	}
}

// patience is how long an answer of etcd is waited for.
func (s *etcdSession) patience() time.Duration { return min(s.ttl/3, s.left()) }
