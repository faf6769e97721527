package cluster

import (
	"context"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// etcdSession is a session on a lease of etcd. It writes heartbeats, which the other sessions
// watch: see detector.
type etcdSession struct {
	etcd           *Etcd
	lease          clientv3.LeaseID
	leaseTTL       time.Duration // how long etcd keeps the lease without a renewal
	heartbeatTTL   time.Duration // how long other sessions wait for a heartbeat
	firstHeartbeat int64         // revision of the first heartbeat; 0 before it
	node           Node
	onEnd          func(f func()) (stop func() bool) // calls f when the session ends

	start          time.Time    // of the times below, on the monotonic clock
	heartbeatUntil atomic.Int64 // when others may consider the session lost, in nanoseconds since start
	leaseUntil     atomic.Int64 // when the lease may expire, likewise
	lost           atomic.Bool  // Alive has returned false
}

// Alive implements [Session].
func (s *etcdSession) Alive() bool {
	if s.remaining() <= 0 {
		s.lost.Store(true)
	}
	return !s.lost.Load()
}

// remaining returns how long the session lasts without another heartbeat or renewal.
func (s *etcdSession) remaining() time.Duration {
	return time.Duration(min(s.heartbeatUntil.Load(), s.leaseUntil.Load())) - time.Since(s.start)
}

// extend records a response of etcd to a request of that time: something is then valid for a
// duration. Other nodes measure it from when they see the change, which is later. An eighth is
// subtracted for clocks with different rates, and for messages in transit at the end.
func (s *etcdSession) extend(until *atomic.Int64, asked time.Time, lasts time.Duration) {
	next := int64(asked.Sub(s.start) + lasts - lasts/8)
	for {
		now := until.Load()
		if now >= next || until.CompareAndSwap(now, next) {
			return
		}
	}
}

// register makes n a member as soon as no other member has its ID.
func (s *etcdSession) register(ctx context.Context, n Node) error {
	s.node = n
	key := s.etcd.nodeKey(n.ID)
	for logged := false; ; {
		resp, err := s.etcd.client.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
			Then(clientv3.OpPut(key, n.Addr, clientv3.WithLease(s.lease)),
				clientv3.OpPut(s.etcd.secretKey(n.ID), n.Secret, clientv3.WithLease(s.lease)),
				clientv3.OpPut(s.etcd.formatKey(n.ID), strconv.Itoa(n.Format), clientv3.WithLease(s.lease))).
			Else(clientv3.OpGet(key)).Commit()
		if err != nil {
			return err
		}
		if resp.Succeeded || clientv3.LeaseID(resp.Responses[0].GetResponseRange().Kvs[0].Lease) == s.lease {
			return nil
		}
		if !logged {
			logged = true
			s.etcd.log.LogAttrs(ctx, slog.LevelInfo, "waiting for the previous lease of this node's ID to end", slog.String("node", n.ID))
		}
		if err := s.etcd.waitForDeletion(ctx, key, resp.Header.Revision); err != nil {
			return err
		}
	}
}
