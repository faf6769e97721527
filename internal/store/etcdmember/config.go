package etcdmember

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// Config configures a member. Name, Dir, Client and Peer are required. Addresses are URLs with the
// schemes http, https, unix and unixs.
type Config struct {
	// Name is the member's own name in Peers.
	Name string
	// Dir is the data directory, which is created if missing.
	Dir string
	// Client is the listen address for clients, and Peer for other members.
	Client, Peer string
	// Peers are the addresses of all members, this one included, by name. Nil means a cluster of
	// one. It is used only while Dir is empty. Then the member asks the others whether they expect
	// a replacement of a lost member: see [Replace].
	Peers map[string]string

	// MaxTxnOps is the maximum number of operations in a transaction; 0 means 4096. All members and
	// stores of a cluster should have the same.
	MaxTxnOps int
	// MaxRequestBytes is the maximum size of a request; 0 means 5 MiB. All should have the same.
	MaxRequestBytes int
	// QuotaBytes is the size of the database above which writes are refused; etcd reserves as much
	// address space. 0 means 8 GiB; NoQuota means no limit. On a disk of less than 1 GiB, it is at
	// most a third of the disk.
	QuotaBytes int64
	// CompactionMode is "periodic" or "revision". CompactionRetention is the history to keep: a
	// duration or a number of revisions. Empty means ten minutes.
	CompactionMode, CompactionRetention string
	// SnapshotCount is the number of transactions between raft snapshots. MaxSnapshots and MaxWALs
	// are the numbers of files to keep. 0 means etcd's default. A starting member reads as many
	// transactions into memory.
	SnapshotCount         uint64
	MaxSnapshots, MaxWALs uint
	// CatchUpEntries is the number of recent transactions in memory for members that lag behind; 0
	// means etcd's default, 5,000. A member that lags more receives the whole database. A few
	// hundred are kept in any case.
	CatchUpEntries uint64
	// BatchLimit and BatchInterval limit the changes that etcd commits to its database at once; 0
	// means etcd's default.
	BatchLimit    int
	BatchInterval time.Duration
	// MaxHeap is how many bytes of live objects the process may have before the member is full: it
	// keeps an index of all keys in memory. 0 means no limit.
	MaxHeap int64
	// DefragAtStart is the number of free megabytes in the database from which etcd defragments it
	// at start; 0 means never.
	DefragAtStart uint
	// TickAdvance shortens the first election timeout after start.
	TickAdvance bool
	// TLS secures the connections between members; nil means plaintext. With TLS, the peers'
	// addresses have the scheme https.
	TLS *TLS
	// Heartbeat is the interval of the leader's heartbeats, and Election how long other members
	// wait for one before an election; 0 means 80 ms and 400 ms. The minimum TTL of a lease is one
	// and a half election timeouts, rounded up to seconds. All members should have the same.
	Heartbeat, Election time.Duration
	// NoSync acknowledges writes before they are on disk. It is for tests: a power cut loses data.
	NoSync bool
}

// TLS names PEM files: the certificate and key of a member, and the CA certificates for the other
// members. The certificate must be valid for servers and clients, and for the host of the member in
// Peers. Members accept certificates only for hosts in Peers: apps have certificates of the same
// Sentry.
//
// New connections use a renewed certificate and key. A new CA file needs a restart.
type TLS struct {
	CertFile, KeyFile, CAFile string
	// Ready waits until the files exist, or ctx ends; nil means that they exist.
	Ready func(ctx context.Context) error
}

// Defaults of Config. An embedded etcd accepts larger transactions than etcd's default, because
// group commits make commits fast.
const (
	DefaultMaxTxnOps       = 4096
	DefaultMaxRequestBytes = 5 << 20 // two jobs of 2 MiB
	NoQuota                = -1
	defaultQuota           = 8 << 30
	defaultHeartbeat       = 80 * time.Millisecond
	defaultElection        = 400 * time.Millisecond
	defaultRetention       = "10m"
)

// embedConfig returns the configuration of etcd's package embed.
func (c Config) embedConfig() (*embed.Config, error) {
	if c.Name == "" || c.Dir == "" {
		return nil, errors.New("an etcd member needs a name and a directory: give both")
	}
	client, err := address("clients", c.Client)
	if err != nil {
		return nil, err
	}
	peer, err := address("peers", c.Peer)
	if err != nil {
		return nil, err
	}
	ec := embed.NewConfig()
	ec.Name, ec.Dir = c.Name, c.Dir
	ec.ListenClientUrls, ec.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	ec.ListenPeerUrls, ec.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	ec.InitialCluster = c.Name + "=" + c.Peer
	if c.Peers != nil {
		own, err := address("peers", c.Peers[c.Name])
		if err != nil {
			return nil, fmt.Errorf("the list of peers has no member %q: %w", c.Name, err)
		}
		ec.AdvertisePeerUrls = []url.URL{*own}
		var all []string
		for _, name := range slices.Sorted(maps.Keys(c.Peers)) {
			all = append(all, name+"="+c.Peers[name])
		}
		ec.InitialCluster = strings.Join(all, ",")
	}
	ec.InitialClusterToken = "carillon"
	ec.MaxTxnOps = uint(orDefault(c.MaxTxnOps, DefaultMaxTxnOps))
	ec.MaxRequestBytes = uint(orDefault(c.MaxRequestBytes, DefaultMaxRequestBytes))
	ec.QuotaBackendBytes = orDefault(c.QuotaBytes, defaultQuota)
	ec.AutoCompactionMode = orDefault(c.CompactionMode, embed.CompactorModePeriodic)
	ec.AutoCompactionRetention = orDefault(c.CompactionRetention, defaultRetention)
	ec.SnapshotCount = orDefault(c.SnapshotCount, ec.SnapshotCount)
	ec.MaxSnapFiles = orDefault(c.MaxSnapshots, ec.MaxSnapFiles)
	ec.MaxWalFiles = orDefault(c.MaxWALs, ec.MaxWalFiles)
	ec.SnapshotCatchUpEntries = orDefault(c.CatchUpEntries, ec.SnapshotCatchUpEntries)
	ec.BackendBatchLimit = c.BatchLimit
	ec.BackendBatchInterval = c.BatchInterval
	ec.BootstrapDefragThresholdMegabytes = c.DefragAtStart
	ec.InitialElectionTickAdvance = c.TickAdvance
	if c.TLS != nil {
		ec.PeerTLSInfo.CertFile, ec.PeerTLSInfo.KeyFile = c.TLS.CertFile, c.TLS.KeyFile
		ec.PeerTLSInfo.TrustedCAFile, ec.PeerTLSInfo.ClientCertAuth = c.TLS.CAFile, true
		ec.PeerTLSInfo.AllowedHostnames = c.hosts()
		ec.PeerTLSInfo.SkipClientSANVerify = true // it would resolve the client's address by DNS
		ec.TlsMinVersion = "TLS1.3"
	}
	ec.TickMs = uint(orDefault(c.Heartbeat, defaultHeartbeat).Milliseconds())
	ec.ElectionMs = uint(orDefault(c.Election, defaultElection).Milliseconds())
	ec.UnsafeNoFsync = c.NoSync
	ec.EnableGRPCGateway = false
	return ec, nil
}

// hosts returns the hosts of the members.
func (c Config) hosts() []string {
	var all []string
	for _, peer := range c.Peers {
		if u, err := url.Parse(peer); err == nil {
			all = append(all, u.Hostname())
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

func address(whose, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the address for %s: %w", whose, err)
	}
	if u.Scheme == "" || u.Host == "" && u.Path == "" {
		return nil, fmt.Errorf("the address for %s is %q: give a URL such as http://10.0.0.1:2379", whose, text)
	}
	return u, nil
}
