package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"carillon/internal/app"
	"carillon/internal/cluster"
	"carillon/internal/memory"
	"carillon/internal/store/etcdmember"
	"carillon/internal/store/etcdstore"
)

// An etcdConfig is the flags of a scheduler about etcd, which several schedulers share.
type etcdConfig struct {
	cluster            list
	embed              bool
	endpoints          list
	username, password string

	clientPort                       int
	clientAddress                    string
	quota                            quantity
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

// Where the jobs of a node alone are in --etcd-data-dir, and the member of etcd of one that is not.
const (
	aloneFolder  = "carillon"
	memberFolder = "carillon-etcd"
)

func (c *etcdConfig) flags(fs *flag.FlagSet) {
	const several = "; for several schedulers"
	fs.Var(&c.cluster, "etcd-initial-cluster",
		"`id=url` of each scheduler's etcd, with commas between them; one is a scheduler alone (default: "+defaultCluster+")")
	fs.BoolVar(&c.embed, "etcd-embed", true, "keep the jobs in --etcd-data-dir; false: in the etcd at --etcd-client-endpoints")
	fs.Var(&c.endpoints, "etcd-client-endpoints", "`addresses` of an external etcd")
	fs.StringVar(&c.username, "etcd-client-username", "", "`user` of an external etcd")
	fs.StringVar(&c.password, "etcd-client-password", "", "`password` of an external etcd")

	portVar(fs, &c.clientPort, "etcd-client-port", 2379, "`port` of this scheduler's etcd"+several)
	fs.StringVar(&c.clientAddress, "etcd-client-listen-address", "localhost", "`address` of this scheduler's etcd; whoever reaches it reaches the jobs"+several)
	c.quota = "9.2E"
	fs.Var(&c.quota, "etcd-space-quota", "`size` that the data may have before new jobs are refused"+several)
	choiceVar(fs, &c.compactionMode, "etcd-compaction-mode", "what --etcd-compaction-retention counts"+several, "revision", "periodic")
	fs.StringVar(&c.retention, "etcd-compaction-retention", "1000000", "`revisions` or duration after which etcd's past goes at the latest"+several)
	fs.Uint64Var(&c.snapshotCount, "etcd-snapshot-count", 0, "`transactions` after which the log may be shortened (default: 5000, fewer below 5Gi of memory)"+several)
	fs.UintVar(&c.maxSnapshots, "etcd-max-snapshots", 10, "`files` with snapshots that are kept"+several)
	fs.UintVar(&c.maxWALs, "etcd-max-wals", 10, "`files` of the log that are kept"+several)
	fs.IntVar(&c.batchLimit, "etcd-backend-batch-limit", 0, "`changes` that are applied to the data at once (default: 10000, fewer below 2Gi of memory)"+several)
	fs.DurationVar(&c.batchInterval, "etcd-backend-batch-interval", 500*time.Millisecond, "how `long` changes may wait to be applied to the data"+several)
	fs.IntVar(&c.maxTxnOps, "etcd-max-txn-ops", 10_000, "`operations` in one transaction; an external etcd is taken to allow 128 unless this is given"+several)
	fs.UintVar(&c.defragAtStart, "etcd-experimental-bootstrap-defrag-threshold-megabytes", 100, "`megabytes` of the data that must be empty for it to be written afresh at a start"+several)
	fs.BoolVar(&c.tickAdvance, "etcd-initial-election-tick-advance", false, "expect a leader at once at a start"+several)
	fs.StringVar(&c.certFile, "etcd-tls-cert-file", "", "`file` with the certificate that this scheduler shows to etcd, its own and others', in PEM (default, for the members: that of the Scheduler port)"+several)
	fs.StringVar(&c.keyFile, "etcd-tls-key-file", "", "`file` with the key of that certificate"+several)
	fs.StringVar(&c.authorityFile, "etcd-tls-ca-file", "", "`file` with the authorities that etcd's certificates are from"+several)
	fs.DurationVar(&c.lease, "lease-duration", 0, "how `long` after its last heartbeat others fire what a lost scheduler had; longer than etcd's elections (default: 1.5s, and 3s with an external etcd)"+several)
	fs.BoolVar(&c.allowPlaintext, "etcd-allow-plaintext", false, "let other hosts reach etcd in plaintext although TLS is on: they can read and change every job, and stop the cluster"+several)
	choiceVar(fs, new(string), "etcd-metrics", inert, "basic", "extensive")
}

// check refuses what Dapr's scheduler does, in its words, and what makes no sense. secured says whether the Scheduler port
// has TLS.
func (c *etcdConfig) check(id string, secured bool) error {
	switch {
	case c.embed && len(c.endpoints) > 0:
		return errors.New("cannot use --etcd-client-endpoints with --etcd-embed: give --etcd-embed=false as well")
	case c.embed && c.username != "":
		return errors.New("cannot use --etcd-client-username with --etcd-embed: give --etcd-embed=false as well")
	case c.embed && c.password != "":
		return errors.New("cannot use --etcd-client-password with --etcd-embed: give --etcd-embed=false as well")
	case !c.embed && len(c.endpoints) == 0:
		return errors.New("must specify --etcd-client-endpoints when not using embedded etcd")
	}
	members, err := c.members()
	switch {
	case err != nil:
		return err
	case members[id] == nil:
		return fmt.Errorf("scheduler ID: %s is not found in initial cluster: name it in --etcd-initial-cluster, or correct --id", id)
	case (c.certFile == "") != (c.keyFile == "") || (c.certFile == "") != (c.authorityFile == ""):
		return errors.New("--etcd-tls-cert-file, --etcd-tls-key-file and --etcd-tls-ca-file belong together: give all of them")
	case c.needsCertificate(id) && !secured:
		return errors.New("--etcd-initial-cluster has addresses with https: give the Scheduler port TLS, whose certificate etcd uses, or give --etcd-tls-cert-file, --etcd-tls-key-file and --etcd-tls-ca-file; or use http where you can trust the network")
	case c.maxTxnOps < 16:
		return fmt.Errorf("--etcd-max-txn-ops %d: at least 16 are needed", c.maxTxnOps)
	case c.lease != 0 && c.lease < time.Second:
		return fmt.Errorf("--lease-duration %v: at least a second is needed", c.lease)
	}
	return c.checkPlaintext(secured)
}

// members returns the addresses in --etcd-initial-cluster, by id.
func (c *etcdConfig) members() (map[string]*url.URL, error) {
	all := map[string]*url.URL{}
	entries := c.cluster
	if len(entries) == 0 {
		entries = list{defaultCluster}
	}
	for _, entry := range entries {
		id, address, _ := strings.Cut(strings.TrimSpace(entry), "=")
		u, err := url.Parse(address)
		if err != nil || id == "" || u.Scheme == "" || u.Host == "" {
			return nil, fmt.Errorf("invalid format for initial cluster. It is id=url, such as %s, and not '%s'", defaultCluster, entry)
		}
		if all[id] != nil {
			return nil, fmt.Errorf("--etcd-initial-cluster: the id %q stands twice; each scheduler has its own", id)
		}
		all[id] = u
	}
	return all, nil
}

// several reports whether the scheduler is one of several, or may be.
func (c *etcdConfig) several() bool {
	members, err := c.members()
	return !c.embed || err == nil && len(members) > 1
}

// role returns what the scheduler is, as far as its memory is concerned.
func (c *etcdConfig) role() memory.Role {
	switch {
	case !c.embed:
		return memory.SchedulerOnEtcd
	case c.several():
		return memory.SchedulerWithEtcd
	default:
		return memory.Scheduler
	}
}

// clusterConfig returns what the scheduler of that id, which others reach at that address, is in its cluster. given says
// which flags were given, and own which certificate its Scheduler port has, nil if none.
func (c *etcdConfig) clusterConfig(id, address, dataDir string, given func(name string) bool, own *etcdmember.TLS) (*app.ClusterConfig, error) {
	if held(filepath.Join(dataDir, aloneFolder)) {
		return nil, fmt.Errorf("--etcd-data-dir %s holds the jobs of a scheduler alone, in %s, which several schedulers would not see: use another folder, or move that one away if the jobs may be lost",
			dataDir, aloneFolder)
	}
	secure, err := c.secure()
	if err != nil {
		return nil, err
	}
	cc := &app.ClusterConfig{
		Node: cluster.Node{ID: id, Addr: address},
		TTL:  c.lease,
		Etcd: etcdstore.Config{Endpoints: c.endpoints, Username: c.username, Password: c.password, TLS: secure},
	}
	if !c.embed {
		if given("etcd-max-txn-ops") {
			cc.Etcd.MaxTxnOps = c.maxTxnOps
		}
		return cc, nil
	}
	members, err := c.members()
	if err != nil {
		return nil, err
	}
	quota, err := sizeOf(string(c.quota))
	if err != nil {
		return nil, fmt.Errorf("--etcd-space-quota: %w", err)
	}
	m := etcdmember.Config{
		Name: id, Dir: filepath.Join(dataDir, memberFolder), Peers: map[string]string{},
		Client:    "http://" + c.clientEndpoint(),
		Peer:      listenFor(members[id]),
		MaxTxnOps: c.maxTxnOps,

		CompactionMode: c.compactionMode, CompactionRetention: c.retention,
		MaxSnapshots: c.maxSnapshots, MaxWALs: c.maxWALs, BatchInterval: c.batchInterval,
		DefragAtStart: c.defragAtStart, TickAdvance: c.tickAdvance,
	}
	if given("etcd-snapshot-count") {
		m.SnapshotCount = c.snapshotCount
	}
	if given("etcd-backend-batch-limit") {
		m.BatchLimit = c.batchLimit
	}
	if m.QuotaBytes = etcdmember.NoQuota; quota <= 1<<40 {
		m.QuotaBytes = int64(quota)
	}
	for name, u := range members {
		m.Peers[name] = u.String()
	}
	if m.TLS = own; c.certFile != "" {
		m.TLS = &etcdmember.TLS{CertFile: c.certFile, KeyFile: c.keyFile, CAFile: c.authorityFile}
	}
	cc.Member = &m
	cc.Etcd.Endpoints, cc.Etcd.TLS = []string{m.Client}, nil
	cc.Etcd.MaxTxnOps, cc.Etcd.MaxRequestBytes = c.maxTxnOps, etcdmember.DefaultMaxRequestBytes
	return cc, nil
}

// checkAlone refuses a folder that holds the jobs of several schedulers.
func checkAlone(dataDir string) error {
	if held(filepath.Join(dataDir, memberFolder)) {
		return fmt.Errorf("--etcd-data-dir %s holds the jobs of several schedulers, in %s, which a scheduler alone would not see: name all of them in --etcd-initial-cluster, or use another folder",
			dataDir, memberFolder)
	}
	return nil
}

// held reports whether something is in the folder, other than the lock that a start which went no further has left.
func held(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() != "LOCK" })
}

// listenFor returns where a member listens that others find at u: there, if that is an address and no name.
func listenFor(u *url.URL) string {
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
		host = "0.0.0.0"
	}
	return u.Scheme + "://" + net.JoinHostPort(host, u.Port())
}

// secure returns how an external etcd is spoken to, nil if without TLS. The files are read again for each connection, so
// that they can be renewed.
func (c *etcdConfig) secure() (*tls.Config, error) {
	if c.certFile == "" {
		return nil, nil //nolint:nilnil // without TLS
	}
	authorities, err := os.ReadFile(c.authorityFile)
	if err != nil {
		return nil, fmt.Errorf("--etcd-tls-ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authorities) {
		return nil, fmt.Errorf("--etcd-tls-ca-file %s: it holds no certificate in PEM", c.authorityFile)
	}
	if _, err := tls.LoadX509KeyPair(c.certFile, c.keyFile); err != nil {
		return nil, fmt.Errorf("--etcd-tls-cert-file: %w", err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: pool,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
			return &pair, err
		},
	}, nil
}
