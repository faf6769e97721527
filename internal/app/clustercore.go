package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"carillon/internal/cluster"
	"carillon/internal/dispatch"
	"carillon/internal/engine"
	"carillon/internal/engine/record"
	"carillon/internal/forward"
	"carillon/internal/job"
	"carillon/internal/memory"
	"carillon/internal/scheduler"
	"carillon/internal/store/etcdmember"
	"carillon/internal/store/etcdstore"
)

const (
	// embeddedTTL is the default heartbeat timeout with etcd members within the nodes. They elect
	// a leader in less than a second.
	embeddedTTL = 1500 * time.Millisecond
	// encryptionOverhead is how many bytes encryption may add to a commit.
	encryptionOverhead = 32 << 10
)

// openClusterCore builds the store, the engine, the forwarding and the membership of a node of a
// cluster. It does not wait for etcd.
func openClusterCore(cfg Config, log *slog.Logger) (core, error) {
	c := &clusterCore{cfg: cfg, log: log, stopping: make(chan struct{})}
	c.identify()
	if err := c.openMember(); err != nil {
		return core{}, err
	}
	if err := c.openStore(); err != nil {
		return core{}, err
	}
	c.build()
	return core{
		store: c.store, engine: c.engine, jobs: c.router, service: c.service, progress: c.router.Progress, nodes: c.router,
		checks:  []check{c.engine.Health, c.router.Health},
		base:    c.storeComponents(),
		forward: []component{c.router.Run},
		cluster: c.clusterComponents(),
	}, nil
}

// clusterCore has the parts of the core of a node of a cluster.
type clusterCore struct {
	cfg Config
	log *slog.Logger

	member     *etcdmember.Member // nil: the etcd is external
	store      *etcdstore.Store
	dispatcher *dispatch.Dispatcher
	engine     *engine.Engine
	router     *forward.Router
	service    *scheduler.Service
	stopping   chan struct{} // closed when the node begins to stop
}

// identify sets what the other nodes learn about this one.
func (c *clusterCore) identify() {
	node := &c.cfg.Cluster.Node
	node.Secret = rand.Text() // valid until the process ends
	node.Format = record.Format
	c.cfg.Scheduler.PeerSecret = node.Secret
}

// openMember opens the etcd member within the node, if there is one.
func (c *clusterCore) openMember() (err error) {
	cc := c.cfg.Cluster
	if cc.Member == nil {
		return nil
	}
	cc.TTL = cmp.Or(cc.TTL, embeddedTTL)
	c.member, err = etcdmember.New(memberDefaults(*cc.Member, c.cfg.Memory), c.log)
	if err != nil {
		return err
	}
	cc.Etcd.KV = c.member.KV()
	return nil
}

// openStore opens the store, and sets what the engine must know about it.
func (c *clusterCore) openStore() (err error) {
	c.cfg.Cluster.Etcd.Metrics = c.cfg.Engine.Metrics
	if c.store, err = etcdstore.Open(c.cfg.Cluster.Etcd, c.log); err != nil {
		return err
	}
	_, maxBytes := c.store.MaxBatch()
	if c.cfg.Engine.Keys != nil {
		maxBytes -= encryptionOverhead
	}
	c.cfg.Engine.Shared = true
	c.cfg.Engine.MaxJob = min(engine.DefaultMaxJob, engine.MaxJobFor(maxBytes))
	c.cfg.Engine.Full = c.store.Full
	if c.member != nil { // the address of an external etcd may be that of any of its members
		c.cfg.Engine.LocalReads = c.store.LocalReads()
		c.cfg.Engine.Full = func() error { return cmp.Or(c.store.Full(), c.member.Full()) }
	}
	return nil
}

// build builds the engine, the forwarding and the Scheduler service on the store.
func (c *clusterCore) build() {
	c.dispatcher = dispatch.New(c.cfg.Dispatch)
	c.engine = engine.New(c.cfg.Engine, c.store, c.dispatcher, c.log)
	dial := peerDialer(c.cfg.Scheduler.Identity)
	progress := func(ctx context.Context, keys []job.Key) ([]engine.DueProgress, error) {
		return localProgress(ctx, c.engine, c.dispatcher, keys)
	}
	reporter := newNodeReporter(c.cfg, c.engine, c.dispatcher)
	c.router = forward.New(forward.Config{
		ID: c.cfg.Cluster.Node.ID, Dial: dial, Progress: progress, Reporter: reporter,
	}, c.engine, c.log)
	c.cfg.Scheduler.Hosts, c.cfg.Scheduler.Peer, c.cfg.Scheduler.Reporter = nil, c.router, reporter
	c.cfg.Scheduler.Quota.Count = c.engine.Usage
	c.service = scheduler.New(c.cfg.Scheduler, c.router, c.dispatcher, c.log)
	reporter.service, reporter.checks = c.service, append(reporter.checks, c.router.Health)
	if c.member != nil {
		reporter.disk = c.member.DiskUsage
	}
}

// storeComponents returns the components below the engine, in the order in which they start.
func (c *clusterCore) storeComponents() []component {
	if c.member == nil {
		return []component{c.store.Run}
	}
	return []component{c.member.Run, c.store.Run, c.giveUpWithoutLeader}
}

// clusterComponents returns the components above the Scheduler service, in the order in which they start. A
// member of the cluster serves sidecars and owns partitions. Without a certificate it could deliver no
// job.
func (c *clusterCore) clusterComponents() []component {
	join := afterCertificate(c.cfg.Scheduler.Identity, c.join)
	if c.member == nil {
		return []component{join}
	}
	return []component{join, c.yieldLeadership}
}

// join is the component in which the node is a member of the cluster.
func (c *clusterCore) join(ctx context.Context) error {
	cc := c.cfg.Cluster
	etcd := cluster.EtcdConfig{Prefix: cc.Etcd.Prefix, Partitions: c.cfg.Engine.Partitions, TTL: cc.TTL}
	return cluster.Run(ctx, cluster.Config{
		Node:         cc.Node,
		RunPartition: func(ctx context.Context, partition int, cl cluster.Claim) { c.engine.RunPartition(ctx, partition, cl) },
		OnView:       c.follow,
	}, cluster.NewEtcd(etcd, c.store.Client(), c.log), c.log)
}

// follow makes the node use a new view of the cluster.
func (c *clusterCore) follow(v cluster.View) {
	c.router.Follow(v)
	c.service.SetHosts(memberAddresses(v))
	// A node that is not a member keeps its last share; it fires nothing new.
	if index, of, ok := v.Place(c.cfg.Cluster.Node.ID); ok {
		c.dispatcher.SetShare(dispatch.Share{Nodes: of, Index: index})
	}
}

// yieldLeadership is a component that stops first, and then makes another member the leader of etcd: the
// components that stop later need a leader that stays.
func (c *clusterCore) yieldLeadership(ctx context.Context) error {
	<-ctx.Done()
	close(c.stopping)
	c.member.YieldLeadership(context.WithoutCancel(ctx))
	return nil
}

// giveUpWithoutLeader is a component that ends the writes of a node that stops without a leader of etcd.
// When all nodes stop, the last one has no leader to write to.
func (c *clusterCore) giveUpWithoutLeader(ctx context.Context) error {
	select {
	case <-c.stopping:
	case <-ctx.Done():
	}
	if c.member.WaitNoLeader(ctx) {
		c.store.GiveUp()
	}
	<-ctx.Done()
	return nil
}

// memberDefaults returns c with its unset limits set from the memory budget. A member keeps raft
// entries in memory both when it starts and while it runs, so both limits are the same.
func memberDefaults(c etcdmember.Config, m memory.Shares) etcdmember.Config {
	c.SnapshotCount = cmp.Or(c.SnapshotCount, uint64(m.RaftEntries))
	c.CatchUpEntries = cmp.Or(c.CatchUpEntries, uint64(m.RaftEntries))
	c.BatchLimit = cmp.Or(c.BatchLimit, m.BackendBatch)
	c.MaxHeap = cmp.Or(c.MaxHeap, m.LiveHeap)
	return c
}

// memberAddresses returns the addresses at which sidecars reach the members, in the order of their IDs.
func memberAddresses(v cluster.View) []string {
	var all []string
	for _, m := range v.Members {
		all = append(all, m.Addr)
	}
	return all
}
