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

// A Config says who a member is and what it may use. Name, Dir, Client and Peer must be given; the rest may be left at
// zero. Addresses are URLs of the schemes http, https, unix and unixs.
type Config struct {
	// Name is the member's own in Peers.
	Name string
	// Dir is the folder, made if it is missing.
	Dir string
	// Client is where it listens for clients, and Peer for the other members.
	Client, Peer string
	// Peers is where each member of the cluster is found by the others, this one included. Nil is a cluster of one.
	// It is looked at only when Dir is empty; then the others are asked whether they expect a member that begins with
	// nothing in the place of one that was lost: see [Replace].
	Peers map[string]string

	// MaxTxnOps is how many operations one transaction may have; 0 is 4096. Every member and every store on it should
	// be given the same.
	MaxTxnOps int
	// MaxRequestBytes is how large a request may be; 0 is 5 MiB. As MaxTxnOps, it should be the same everywhere.
	MaxRequestBytes int
	// QuotaBytes is how large the data may become before nothing more is written, and as much of the address space is
	// taken; 0 is 8 GiB, and NoQuota is no bound but the disk's. On a disk of less than 1 GiB it is a third of that at most.
	QuotaBytes int64
	// CompactionMode is "periodic" or "revision", and CompactionRetention how much of the past is kept: a duration, or
	// a number of revisions. Empty is ten minutes.
	CompactionMode, CompactionRetention string
	// SnapshotCount is after how many transactions a snapshot lets the log be shortened, and MaxSnapshots and MaxWALs how
	// many files of each are kept; 0 is etcd's own. A member that starts reads as many transactions into memory.
	SnapshotCount         uint64
	MaxSnapshots, MaxWALs uint
	// CatchUpEntries is how many of the last transactions are kept in memory, for members that lag behind; 0 is etcd's
	// own, 5,000. One that lags further gets all of the data. Some hundred are there in any case.
	CatchUpEntries uint64
	// BatchLimit and BatchInterval bound what is applied to the data before it is committed there; 0 is etcd's own.
	BatchLimit    int
	BatchInterval time.Duration
	// DefragAtStart is how many megabytes must be free in the data for it to be written afresh at a start; 0 is never.
	DefragAtStart uint
	// TickAdvance has a member that starts expect a leader at once, which makes elections at a start quicker.
	TickAdvance bool
	// TLS secures what the members say to one another; nil is without. The schemes of the peers are https then.
	TLS *TLS
	// Heartbeat is how often a leader shows that it is alive, and Election how long the others wait for it before they
	// choose another; 0 is 80 ms and 400 ms. A lease is not granted for less than one and a half elections, rounded
	// up to seconds. They should be the same everywhere.
	Heartbeat, Election time.Duration
	// NoSync acknowledges what is not on the disk yet. For tests: a power cut loses data.
	NoSync bool
}

// A TLS names files in PEM: a member's certificate and key, and the authorities that it trusts in others'. The
// certificate is one for servers and clients, and names the host at which Peers has the member. Members take those that
// name a host in Peers, and no other of the same authorities: an app has a certificate of Sentry's as well.
//
// A new certificate and key are used from the next connection on, other authorities from the next start on.
type TLS struct {
	CertFile, KeyFile, CAFile string
	// Ready waits until the files are there, or ctx ends; nil: they are.
	Ready func(ctx context.Context) error
}

// What a Config leaves at zero. An etcd of its own is allowed larger transactions than etcd allows by default, because
// groups are what makes commits fast.
const (
	DefaultMaxTxnOps       = 4096
	DefaultMaxRequestBytes = 5 << 20 // two jobs of 2 MiB
	NoQuota                = -1
	defaultQuota           = 8 << 30
	defaultHeartbeat       = 80 * time.Millisecond
	defaultElection        = 400 * time.Millisecond
	defaultRetention       = "10m"
)

// embedded returns c in etcd's words.
func (c Config) embedConfig() (*embed.Config, error) {
	if c.Name == "" || c.Dir == "" {
		return nil, errors.New("a member needs a name and a folder: give both")
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
		ec.PeerTLSInfo.SkipClientSANVerify = true // it asks DNS for the name of a client's address
		ec.TlsMinVersion = "TLS1.3"
	}
	ec.TickMs = uint(orDefault(c.Heartbeat, defaultHeartbeat).Milliseconds())
	ec.ElectionMs = uint(orDefault(c.Election, defaultElection).Milliseconds())
	ec.UnsafeNoFsync = c.NoSync
	ec.EnableGRPCGateway = false
	return ec, nil
}

// hosts returns those at which the members are found.
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
		return nil, fmt.Errorf("the address for %s is %q: give one such as http://10.0.0.1:2379", whose, text)
	}
	return u, nil
}
