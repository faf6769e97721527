package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// An EtcdConfig is what an operator may choose of a cluster's agreement, the same for all of its nodes but for TTL.
type EtcdConfig struct {
	// Prefix is what all keys in etcd begin with, the same as the store's; empty is "carillon/".
	Prefix string
	// Partitions is how many there are; 0 means 64.
	Partitions int
	// TTL is how long the others wait for a heartbeat of the node before they take it for lost: so long after its last one
	// nobody else owns what it owned. It is to be longer than etcd needs to elect a leader; 0 is 3 s.
	TTL time.Duration
}

const (
	defaultPrefix     = "carillon/"
	defaultPartitions = 64
	defaultTTL        = 3 * time.Second // etcd elects a leader within two, unless it is told otherwise
)

// Etcd coordinates nodes through an etcd that they share.
type Etcd struct {
	config EtcdConfig
	client *clientv3.Client
	log    *slog.Logger
}

var _ Coordinator = (*Etcd)(nil)

// NewEtcd returns a coordinator that uses the client, which stays the caller's.
func NewEtcd(cfg EtcdConfig, client *clientv3.Client, log *slog.Logger) *Etcd {
	if cfg.Prefix == "" {
		cfg.Prefix = defaultPrefix
	}
	if cfg.Partitions == 0 {
		cfg.Partitions = defaultPartitions
	}
	if cfg.TTL == 0 {
		cfg.TTL = defaultTTL
	}
	return &Etcd{config: cfg, client: client, log: log.With(slog.String("component", "cluster"))}
}

// The keys, each below the prefix.
func (e *Etcd) clusterKey() string         { return e.config.Prefix + "cluster/" }
func (e *Etcd) assignmentKey() string      { return e.clusterKey() + "assignment" }
func (e *Etcd) nodesKey() string           { return e.clusterKey() + "node/" }
func (e *Etcd) nodeKey(id string) string   { return e.nodesKey() + id }
func (e *Etcd) secretsKey() string         { return e.clusterKey() + "secret/" }
func (e *Etcd) secretKey(id string) string { return e.secretsKey() + id }
func (e *Etcd) formatsKey() string         { return e.clusterKey() + "format/" }
func (e *Etcd) formatKey(id string) string { return e.formatsKey() + id }
func (e *Etcd) claimKey(partition int) string {
	return fmt.Sprintf("%sclaim/%04d", e.config.Prefix, partition)
}

// Join is [Coordinator.Join]. It returns an error at once if etcd grants no lease.
func (e *Etcd) Join(ctx context.Context, n Node, do func(context.Context, Session)) error {
	s, err := e.newSession(ctx)
	if err != nil {
		return err
	}
	farewell, cancel := withGrace(ctx, releaseTimeout)
	defer cancel()
	defer s.revoke(farewell)
	if s.firstHeartbeat, err = s.heartbeat(ctx); err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}

	inner, end := context.WithCancelCause(ctx)
	defer end(nil)
	s.onEnd = func(f func()) (stop func() bool) { return context.AfterFunc(inner, f) }
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		if !s.keepAlive(keeping) {
			end(ErrLost)
		}
	}()
	defer func() { stop(); <-kept }()
	detected := make(chan struct{})
	go func() { defer close(detected); s.detectFailures(inner) }()
	defer func() { end(nil); <-detected }()

	if err := s.register(inner, n); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("join as %q: %w", n.ID, lostOr(inner, err))
	}
	do(inner, s)
	return lostOr(inner, nil)
}

// lostOr returns ErrLost if that is why ctx has ended, and err otherwise.
func lostOr(ctx context.Context, err error) error {
	if isLost(ctx) {
		return ErrLost
	}
	return err
}

// register makes n a member when nobody else has its ID.
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
			s.etcd.log.LogAttrs(ctx, slog.LevelInfo, "waiting until the last lease of this node's name ends", slog.String("node", n.ID))
		}
		if err := s.etcd.waitForDeletion(ctx, key, resp.Header.Revision); err != nil {
			return err
		}
	}
}

// gone waits until key may have been removed since the revision, or some time has passed.
func (e *Etcd) waitForDeletion(ctx context.Context, key string, revision int64) error {
	most, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), time.Second)
	defer cancel()
	removals := e.client.Watch(most, key, clientv3.WithRev(revision+1), clientv3.WithFilterPut())
	resp, ok := <-removals
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if (!ok || resp.Err() != nil) && most.Err() == nil { // the watch is broken: not at once again
		pause(most, minBackoff)
	}
	return nil
}

// leaseLengths is how often the time for a heartbeat fits into a lease. The lease is for the case that nobody is left to
// watch the heartbeats. Its length matters little, so it is no reason to lose a session.
const leaseMultiple = 4

// grant gets a lease.
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

// revoke ends the lease, so that nobody has to wait for its end.
func (s *etcdSession) revoke(ctx context.Context) {
	bounded, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), revokeTimeout)
	defer cancel()
	_, err := s.etcd.client.Revoke(bounded, s.lease)
	if err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		s.etcd.log.LogAttrs(ctx, slog.LevelInfo, "cannot end the lease; others notice that the heartbeats have", slog.Any("err", err))
	}
}
