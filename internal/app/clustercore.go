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
	cc := cfg.Cluster
	cc.Node.Secret = rand.Text() // valid until the process ends
	cc.Node.Format = record.Format
	cfg.Scheduler.PeerSecret = cc.Node.Secret
	cc.Etcd.Metrics = cfg.Engine.Metrics
	var c core
	memberFull := func() error { return nil }
	var yieldLeadership []stage
	var member *etcdmember.Member
	stopping := make(chan struct{})
	if cc.Member != nil {
		cc.TTL = cmp.Or(cc.TTL, embeddedTTL)
		m, err := etcdmember.New(memberDefaults(*cc.Member, cfg.Memory), log)
		if err != nil {
			return core{}, err
		}
		member = m
		c.base = append(c.base, m.Run)
		cc.Etcd.KV = m.KV()
		memberFull = m.Full
		// This stage stops first: what follows needs a leader that stays.
		yieldLeadership = append(yieldLeadership, func(ctx context.Context) error {
			<-ctx.Done()
			close(stopping)
			m.YieldLeadership(context.WithoutCancel(ctx))
			return nil
		})
	}
	st, err := etcdstore.Open(cc.Etcd, log)
	if err != nil {
		return core{}, err
	}
	c.store = st
	_, maxBytes := st.MaxBatch()
	if cfg.Engine.Keys != nil {
		maxBytes -= encryptionOverhead
	}
	cfg.Engine.Shared = true
	if cc.Member != nil { // the address of an external etcd may be that of any of its members
		cfg.Engine.LocalReads = st.LocalReads()
	}
	cfg.Engine.Full = func() error { return cmp.Or(st.Full(), memberFull()) }
	cfg.Engine.MaxJob = min(engine.DefaultMaxJob, engine.MaxJobFor(maxBytes))
	d := dispatch.New(cfg.Dispatch)
	c.engine = engine.New(cfg.Engine, st, d, log)
	r := forward.New(forward.Config{ID: cc.Node.ID, Dial: peerDialer(cfg.Scheduler.Identity)}, c.engine, log)
	c.jobs = r
	cfg.Scheduler.Hosts, cfg.Scheduler.Peer = nil, r
	cfg.Scheduler.Quota.Count = c.engine.Usage
	c.service = scheduler.New(cfg.Scheduler, r, d, log)
	c.base = append(c.base, st.Run)
	if member != nil {
		c.base = append(c.base, func(ctx context.Context) error {
			select {
			case <-stopping:
			case <-ctx.Done():
			}
			// When all nodes stop, the last one has no leader to write to.
			if member.WaitNoLeader(ctx) {
				st.GiveUp()
			}
			<-ctx.Done()
			return nil
		})
	}
	c.forward = []stage{r.Run}
	c.checks = []check{c.engine.Health, r.Health}
	// A member serves sidecars and owns partitions. Without a certificate it could deliver no job.
	c.cluster = []stage{afterCertificate(cfg.Scheduler.Identity, func(ctx context.Context) error {
		return cluster.Run(ctx, cluster.Config{
			Node:         cc.Node,
			RunPartition: func(ctx context.Context, partition int, cl cluster.Claim) { c.engine.RunPartition(ctx, partition, cl) },
			OnView: func(v cluster.View) {
				r.Follow(v)
				c.service.SetHosts(memberAddresses(v))
				// A node that is not a member keeps its last share; it fires nothing new.
				if index, of, ok := v.Place(cc.Node.ID); ok {
					d.SetShare(dispatch.Share{Nodes: of, Index: index})
				}
			},
		}, cluster.NewEtcd(cluster.EtcdConfig{Prefix: cc.Etcd.Prefix, Partitions: cfg.Engine.Partitions, TTL: cc.TTL}, st.Client(), log), log)
	})}
	c.cluster = append(c.cluster, yieldLeadership...)
	return c, nil
}

// memberDefaults returns c with its unset limits set from the memory budget. A member keeps raft
// entries in memory both when it starts and while it runs, so both limits are the same.
func memberDefaults(c etcdmember.Config, m memory.Shares) etcdmember.Config {
	c.SnapshotCount = cmp.Or(c.SnapshotCount, uint64(m.RaftEntries))
	c.CatchUpEntries = cmp.Or(c.CatchUpEntries, uint64(m.RaftEntries))
	c.BatchLimit = cmp.Or(c.BatchLimit, m.BackendBatch)
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
