package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"carillon/internal/cluster"
	"carillon/internal/dispatch"
	"carillon/internal/engine"
	"carillon/internal/engine/record"
	"carillon/internal/forward"
	"carillon/internal/identity"
	"carillon/internal/memory"
	"carillon/internal/scheduler"
	"carillon/internal/store/etcdmember"
	"carillon/internal/store/etcdstore"
)

// A ClusterConfig is what the node of a cluster has in the place of a store of its own.
type ClusterConfig struct {
	// Node is its own id among the nodes, and where sidecars and the other nodes reach it.
	Node cluster.Node
	// Etcd says where the etcd is that the nodes share, and what it allows.
	Etcd etcdstore.Config
	// Member runs a member of that etcd within the node; nil runs none.
	Member *etcdmember.Config
	// TTL is how long others wait for a heartbeat of the node, as [cluster.EtcdConfig] has it; 0 is 1.5 s with a member within
	// the node, and as there without.
	TTL time.Duration
}

// memberTTL is how long others wait for a heartbeat where etcd is within the nodes: it elects a leader in less than a second.
const memberTTL = 1500 * time.Millisecond

// openClusterCore builds what a node of a cluster has. Nothing of it waits for etcd.
func openClusterCore(cfg Config, log *slog.Logger) (core, error) {
	cc := cfg.Cluster
	cc.Node.Secret = rand.Text() // for as long as the process lives
	cfg.Scheduler.PeerSecret = cc.Node.Secret
	cc.Node.Format = record.Format
	cc.Etcd.Metrics = cfg.Engine.Metrics
	var c core
	full := func() error { return nil }
	var yield []stage
	var member *etcdmember.Member
	stopping := make(chan struct{})
	if cc.Member != nil {
		cc.TTL = cmp.Or(cc.TTL, memberTTL)
		m, err := etcdmember.New(fit(*cc.Member, cfg.Memory), log)
		if err != nil {
			return core{}, err
		}
		member = m
		c.base = append(c.base, m.Run)
		cc.Etcd.KV = m.KV()
		full = m.Full
		// The first thing to be done when the node stops: what follows goes through the leader.
		yield = append(yield, func(ctx context.Context) error {
			<-ctx.Done()
			close(stopping)
			m.Yield(context.WithoutCancel(ctx))
			return nil
		})
	}
	st, err := etcdstore.Open(cc.Etcd, log)
	if err != nil {
		return core{}, err
	}
	c.store = st
	_, most := st.MaxBatch()
	if cfg.Engine.Keys != nil {
		most -= sealingRoom
	}
	cfg.Engine.Shared = true
	if cc.Member != nil { // an address of an external etcd may lead to any member
		cfg.Engine.LocalReads = st.Own()
	}
	cfg.Engine.Full = func() error { return cmp.Or(st.Full(), full()) }
	cfg.Engine.MaxJob = min(engine.DefaultMaxJob, engine.MaxJobFor(most))
	d := dispatch.New(cfg.Dispatch)
	c.engine = engine.New(cfg.Engine, st, d, log)
	r := forward.New(forward.Config{ID: cc.Node.ID, Dial: dialPeer(cfg.Scheduler.Identity)}, c.engine, log)
	c.jobs = r
	cfg.Scheduler.Hosts, cfg.Scheduler.Peer = nil, r
	cfg.Scheduler.Quota.Count = c.engine.Usage
	c.service = scheduler.New(cfg.Scheduler, r, d, log)
	c.base = append(c.base, st.Run)
	if member != nil {
		c.base = append(c.base, func(ctx context.Context) error { // when all nodes stop, the last one has nobody to wait for
			select {
			case <-stopping:
			case <-ctx.Done():
			}
			if member.AwaitNoLeader(ctx) {
				st.GiveUp()
			}
			<-ctx.Done()
			return nil
		})
	}
	c.forward = []stage{r.Run}
	c.checks = []check{c.engine.Health, r.Health}
	// A member is listed to sidecars, and owns jobs: without a certificate it could deliver none.
	c.cluster = []stage{whenHeld(cfg.Scheduler.Identity, func(ctx context.Context) error {
		return cluster.Run(ctx, cluster.Config{
			Node: cc.Node,
			Own:  func(ctx context.Context, partition int, cl cluster.Claim) { c.engine.RunPartition(ctx, partition, cl) },
			View: func(v cluster.View) {
				r.Follow(v)
				c.service.SetHosts(addresses(v))
				if index, of, ok := v.Place(cc.Node.ID); ok { // a node that is no member keeps its share: it starts nothing new
					d.SetShare(dispatch.Share{Nodes: of, Index: index})
				}
			},
		}, cluster.NewEtcd(cluster.EtcdConfig{Prefix: cc.Etcd.Prefix, Partitions: cfg.Engine.Partitions, TTL: cc.TTL}, st.Client(), log), log)
	})}
	c.cluster = append(c.cluster, yield...)
	return c, nil
}

// fit returns c with what it leaves open set to what its share of the memory allows. The first transactions after a
// snapshot are in memory when a member starts, and the last ones while it runs: as many of either.
func fit(c etcdmember.Config, m memory.Shares) etcdmember.Config {
	c.SnapshotCount = cmp.Or(c.SnapshotCount, uint64(m.RaftEntries))
	c.CatchUpEntries = cmp.Or(c.CatchUpEntries, uint64(m.RaftEntries))
	c.BatchLimit = cmp.Or(c.BatchLimit, m.BackendBatch)
	return c
}

// addresses returns where sidecars reach the members, in the order of their IDs.
func addresses(v cluster.View) []string {
	var all []string
	for _, m := range v.Members {
		all = append(all, m.Addr)
	}
	return all
}

// sealingRoom is what envelopes may add to a commit.
const sealingRoom = 32 << 10

// dialPeer returns what makes a connection to another node, which is who this one is, if it is anybody.
func dialPeer(who *identity.Source) func(address string) (*grpc.ClientConn, error) {
	secure := insecure.NewCredentials()
	if who != nil {
		secure = who.Peer()
	}
	return func(address string) (*grpc.ClientConn, error) { return dialNode(address, secure) }
}

// dialNode makes a connection to another node. It is tried again soon when it is lost: the node may be starting.
func dialNode(address string, secure credentials.TransportCredentials) (*grpc.ClientConn, error) {
	b := backoff.DefaultConfig
	b.BaseDelay, b.MaxDelay = 50*time.Millisecond, time.Second
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(secure),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: b, MinConnectTimeout: 2 * time.Second}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second, PermitWithoutStream: true}),
		grpc.WithIdleTimeout(0),
		grpc.WithDisableServiceConfig(),
	)
	if err != nil {
		return nil, fmt.Errorf("connect to another node at %q: %w", address, err)
	}
	return conn, nil
}

// errNoCluster says that a node of a cluster cannot be all in one.
var errNoCluster = errors.New("a node that is all in one has its store to itself: it cannot be part of a cluster")
