package etcdmember

import (
	"slices"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"

	"carillon/internal/store/diskspace"
)

var whole = Config{Name: "b", Dir: "data", Client: "http://127.0.0.1:2379", Peer: "http://127.0.0.1:2380"}

func embedded(t *testing.T, c Config) *embed.Config {
	t.Helper()
	ec, err := c.embedConfig()
	if err != nil {
		t.Fatal(err)
	}
	return ec
}

func TestConfigIsPassedToEtcd(t *testing.T) {
	given := whole
	given.MaxTxnOps, given.MaxRequestBytes, given.QuotaBytes = 7, 8, 9
	given.CompactionMode, given.CompactionRetention = "revision", "10"
	given.SnapshotCount, given.MaxSnapshots, given.MaxWALs, given.CatchUpEntries = 11, 12, 13, 14
	given.BatchLimit, given.BatchInterval, given.DefragAtStart, given.TickAdvance = 15, 16, 17, true
	given.Heartbeat, given.Election, given.NoSync = 18*time.Millisecond, 190*time.Millisecond, true
	type words struct {
		ops, request           uint
		quota                  int64
		mode, retention        string
		count                  uint64
		snaps, wals            uint
		catchUp                uint64
		limit                  int
		interval               time.Duration
		defrag                 uint
		advance                bool
		tick, election         uint
		noSync, gateway        bool
		cluster, token, states string
		name, dir              string
	}
	of := func(e *embed.Config) words {
		return words{
			e.MaxTxnOps, e.MaxRequestBytes, e.QuotaBackendBytes, e.AutoCompactionMode, e.AutoCompactionRetention, e.SnapshotCount, e.MaxSnapFiles,
			e.MaxWalFiles, e.SnapshotCatchUpEntries, e.BackendBatchLimit, e.BackendBatchInterval, e.BootstrapDefragThresholdMegabytes,
			e.InitialElectionTickAdvance, e.TickMs, e.ElectionMs, e.UnsafeNoFsync, e.EnableGRPCGateway, e.InitialCluster, e.InitialClusterToken, e.ClusterState, e.Name, e.Dir,
		}
	}
	own := embed.NewConfig()
	if got, want := of(embedded(t, given)), (words{7, 8, 9, "revision", "10", 11, 12, 13, 14, 15, 16, 17, true, 18, 190, true, false, "b=http://127.0.0.1:2380", "carillon", "new", "b", "data"}); got != want {
		t.Errorf("what was given is told as\n%+v, want\n%+v", got, want)
	}
	if got, want := of(embedded(t, whole)), (words{
		4096, 5 << 20, 8 << 30, "periodic", "10m", own.SnapshotCount, own.MaxSnapFiles, own.MaxWalFiles, own.SnapshotCatchUpEntries,
		0, 0, 0, false, 80, 400, false, false, "b=http://127.0.0.1:2380", "carillon", "new", "b", "data",
	}); got != want {
		t.Errorf("what was left out is told as\n%+v, want\n%+v", got, want)
	}
}

func TestAddressNeedsSchemeAndHost(t *testing.T) {
	for text, want := range map[string]string{
		"http://10.0.0.1:2379": "", "unix:///run/etcd": "", "unixs://etcd:1": "",
		"":         `the address for clients is "": give a URL such as http://10.0.0.1:2379`,
		"/run/x":   `the address for clients is "/run/x": give a URL such as http://10.0.0.1:2379`,
		"//host":   `the address for clients is "//host": give a URL such as http://10.0.0.1:2379`,
		"http:":    `the address for clients is "http:": give a URL such as http://10.0.0.1:2379`,
		"http://%": `the address for clients: parse "http://%": invalid URL escape "%"`,
	} {
		u, err := address("clients", text)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want || err == nil && u.String() != text {
			t.Errorf("address(%q) = %v, %q; want %q", text, u, got, want)
		}
	}
}

func TestPeersSetClusterAndCertificateHosts(t *testing.T) {
	c := whole
	c.Peers = map[string]string{"b": "https://b.example:2380", "a": "https://a.example:2380", "a2": "https://a.example:2382"}
	c.TLS = &TLS{CertFile: "cert", KeyFile: "key", CAFile: "ca"}
	ec := embedded(t, c)
	if want := "a=https://a.example:2380,a2=https://a.example:2382,b=https://b.example:2380"; ec.InitialCluster != want {
		t.Errorf("the cluster is %q, want %q", ec.InitialCluster, want)
	}
	if at := ec.AdvertisePeerUrls; len(at) != 1 || at[0].String() != c.Peers["b"] {
		t.Errorf("the others find it at %v, want %s", at, c.Peers["b"])
	}
	if at := ec.ListenPeerUrls; len(at) != 1 || at[0].String() != c.Peer {
		t.Errorf("it listens for the others at %v, want %s", at, c.Peer)
	}
	p := ec.PeerTLSInfo
	if p.CertFile != "cert" || p.KeyFile != "key" || p.TrustedCAFile != "ca" || !p.ClientCertAuth || !p.SkipClientSANVerify || ec.TlsMinVersion != "TLS1.3" {
		t.Errorf("its certificates are %+v, of %s", p, ec.TlsMinVersion)
	}
	if want := []string{"a.example", "b.example"}; !slices.Equal(p.AllowedHostnames, want) {
		t.Errorf("it takes certificates of %q, want %q", p.AllowedHostnames, want)
	}
}

func TestSmallDiskLimitsLogAndQuota(t *testing.T) {
	small := wal.SegmentSizeBytes
	t.Cleanup(func() { wal.SegmentSizeBytes = small })
	const mib, was = 1 << 20, 64 << 20 // etcd's own
	for _, c := range []struct {
		total       uint64
		quota, want int64
		segment     int64
	}{
		{0, 0, 0, was},
		{1024 * mib, 0, 0, was},
		{768 * mib, 0, 256 * mib, 12 * mib},
		{768 * mib, NoQuota, 256 * mib, 12 * mib},
		{768 * mib, 256*mib + 1, 256 * mib, 12 * mib},
		{768 * mib, 255 * mib, 255 * mib, 12 * mib},
		{1024*mib - 64, 0, (1024*mib - 64) / 3, 16*mib - 1},
	} {
		wal.SegmentSizeBytes = was
		got := Config{QuotaBytes: c.quota}.withDiskLimits(diskspace.Usage{Total: c.total})
		if got.QuotaBytes != c.want || wal.SegmentSizeBytes != c.segment {
			t.Errorf("on a disk of %d bytes a quota of %d is %d and a file of the log has %d, want %d and %d",
				c.total, c.quota, got.QuotaBytes, wal.SegmentSizeBytes, c.want, c.segment)
		}
	}
	wal.SegmentSizeBytes = 3
	if (Config{}).withDiskLimits(diskspace.Usage{Total: 768 * mib}); wal.SegmentSizeBytes != 3 {
		t.Error("a file of the log became larger for a small disk")
	}
}
