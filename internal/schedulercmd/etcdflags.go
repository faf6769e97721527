package schedulercmd

import (
	"flag"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"carillon/internal/flagvalue"
	"carillon/internal/memory"
	"carillon/internal/nodecmd"
	"carillon/internal/roleflag"
)

const defaultCluster = "dapr-scheduler-server-0=http://localhost:2380"

// etcdOptions are the options of a scheduler for etcd, which the schedulers of a cluster share.
type etcdOptions struct {
	cluster            flagvalue.Strings
	embed              bool
	endpoints          flagvalue.Strings
	username, password string

	clientPort                       int
	clientAddress                    string
	quota                            flagvalue.Quantity
	compactionMode, retention        string
	snapshotCount                    uint64
	maxSnapshots, maxWALs            uint
	batchLimit                       int
	batchInterval                    time.Duration
	maxTxnOps                        int
	defragAtStart                    uint
	tickAdvance                      bool
	certFile, keyFile, authorityFile string
	allowPlaintext                   bool
	lease                            time.Duration
}

func (c *etcdOptions) flags(fs *flag.FlagSet) {
	const cluster = "; cluster only"
	fs.Var(&c.cluster, "etcd-initial-cluster",
		"comma-separated `ID=URL` of the etcd of each scheduler; a single entry means a single node (default: "+defaultCluster+")")
	fs.BoolVar(&c.embed, "etcd-embed", true, "store the jobs in --etcd-data-dir; if false, in the etcd at --etcd-client-endpoints")
	fs.Var(&c.endpoints, "etcd-client-endpoints", "comma-separated `addresses` of an external etcd")
	fs.StringVar(&c.username, "etcd-client-username", "", "`user` for an external etcd")
	fs.StringVar(&c.password, "etcd-client-password", "", "`password` for an external etcd")

	fs.Var(flagvalue.NewPort(&c.clientPort, 2379), "etcd-client-port", "`port` of this scheduler's etcd for clients"+cluster)
	fs.StringVar(&c.clientAddress, "etcd-client-listen-address", "localhost", "`address` of this scheduler's etcd for clients, who can read and change all jobs"+cluster)
	c.quota = "9.2E"
	fs.Var(&c.quota, "etcd-space-quota", "etcd quota: `size` of the database above which new jobs are refused"+cluster)
	fs.Var(flagvalue.NewChoice(&c.compactionMode, "revision", "periodic"), "etcd-compaction-mode", "unit of --etcd-compaction-retention"+cluster)
	fs.StringVar(&c.retention, "etcd-compaction-retention", "1000000", "number of `revisions`, or duration, after which etcd compacts its history at the latest"+cluster)
	fs.Uint64Var(&c.snapshotCount, "etcd-snapshot-count", 0, "number of `transactions` between raft snapshots (default: 5000, fewer below 5Gi of memory)"+cluster)
	fs.UintVar(&c.maxSnapshots, "etcd-max-snapshots", 10, "`number` of snapshot files to keep"+cluster)
	fs.UintVar(&c.maxWALs, "etcd-max-wals", 10, "`number` of WAL files to keep"+cluster)
	fs.IntVar(&c.batchLimit, "etcd-backend-batch-limit", 0, "`number` of changes that etcd commits to its database at once (default: 10000, fewer below 2Gi of memory)"+cluster)
	fs.DurationVar(&c.batchInterval, "etcd-backend-batch-interval", 500*time.Millisecond, "`duration` after which etcd commits changes to its database at the latest"+cluster)
	fs.IntVar(&c.maxTxnOps, "etcd-max-txn-ops", 10_000, "`number` of operations in one transaction (default for an external etcd: 128)"+cluster)
	fs.UintVar(&c.defragAtStart, "etcd-experimental-bootstrap-defrag-threshold-megabytes", 100, "free `megabytes` in the database from which etcd defragments it at start"+cluster)
	fs.BoolVar(&c.tickAdvance, "etcd-initial-election-tick-advance", false, "shorten the first election timeout after start"+cluster)
	fs.StringVar(&c.certFile, "etcd-tls-cert-file", "", "`file` with the certificate for connections to etcd, in PEM (default between members: the certificate of the Scheduler port)"+cluster)
	fs.StringVar(&c.keyFile, "etcd-tls-key-file", "", "`file` with the private key of that certificate"+cluster)
	fs.StringVar(&c.authorityFile, "etcd-tls-ca-file", "", "`file` with the CA certificates of etcd, in PEM"+cluster)
	fs.DurationVar(&c.lease, "lease-duration", 0, "lease timeout `duration`: after it without a heartbeat, other schedulers take over; must exceed etcd's election timeout (default: 1.5s; 3s with an external etcd)"+cluster)
	fs.BoolVar(&c.allowPlaintext, "etcd-allow-plaintext", false, "allow plaintext connections to etcd from other hosts although TLS is on: they can read and change every job, and stop the cluster"+cluster)
	fs.Var(flagvalue.NewChoice(new(string), "basic", "extensive"), "etcd-metrics", roleflag.Inert)
}

// members returns the addresses in --etcd-initial-cluster by id.
func (c *etcdOptions) members() (map[string]*url.URL, error) {
	all := map[string]*url.URL{}
	entries := c.cluster
	if len(entries) == 0 {
		entries = flagvalue.Strings{defaultCluster}
	}
	for _, entry := range entries {
		id, address, _ := strings.Cut(strings.TrimSpace(entry), "=")
		u, err := url.Parse(address)
		if err != nil || id == "" || u.Scheme == "" || u.Host == "" {
			return nil, fmt.Errorf("invalid format for initial cluster. It is id=url, such as %s, and not '%s'", defaultCluster, entry)
		}
		if all[id] != nil {
			return nil, fmt.Errorf("--etcd-initial-cluster has the ID %q twice: give each scheduler its own", id)
		}
		all[id] = u
	}
	return all, nil
}

// clustered reports whether the scheduler is part of a cluster, or may be with an external etcd.
func (c *etcdOptions) clustered() bool {
	members, err := c.members()
	return !c.embed || err == nil && len(members) > 1
}

// processKind returns the kind of the scheduler for its memory budget.
func (c *etcdOptions) processKind() memory.ProcessKind {
	switch {
	case !c.embed:
		return memory.SchedulerOnEtcd
	case c.clustered():
		return memory.SchedulerWithEtcd
	default:
		return memory.Scheduler
	}
}

// clientEndpoint returns the address of this scheduler's etcd for clients.
func (c *etcdOptions) clientEndpoint() string {
	return net.JoinHostPort(nodecmd.Unbracket(c.clientAddress), strconv.Itoa(c.clientPort))
}
