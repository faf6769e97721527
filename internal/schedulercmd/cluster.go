package schedulercmd

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"

	"carillon/internal/app"
	"carillon/internal/cluster"
	"carillon/internal/flagvalue"
	"carillon/internal/nodecmd"
	"carillon/internal/store/etcdmember"
	"carillon/internal/store/etcdstore"
)

// clusterConfig returns the cluster configuration of the scheduler with that id and advertised address.
// given reports whether a flag was given. own is the certificate of the Scheduler port, or nil.
func (c *etcdOptions) clusterConfig(id, address, dataDir string, given func(name string) bool, own *etcdmember.TLS) (*app.ClusterConfig, error) {
	if nodecmd.HasData(filepath.Join(dataDir, nodecmd.SingleDir)) {
		return nil, fmt.Errorf("--etcd-data-dir %s has the jobs of a single scheduler in %s, which a cluster does not read: use another directory, or move that one away if you do not need the jobs",
			dataDir, nodecmd.SingleDir)
	}
	tlsConfig, err := c.clientTLS()
	if err != nil {
		return nil, err
	}
	cc := &app.ClusterConfig{
		Node: cluster.Node{ID: id, Addr: address},
		TTL:  c.lease,
		Etcd: etcdstore.Config{Endpoints: c.endpoints, Username: c.username, Password: c.password, TLS: tlsConfig},
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
	quota, err := flagvalue.Size(string(c.quota))
	if err != nil {
		return nil, fmt.Errorf("--etcd-space-quota: %w", err)
	}
	m := etcdmember.Config{
		Name: id, Dir: filepath.Join(dataDir, nodecmd.MemberDir), Peers: map[string]string{},
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

// checkSingle refuses a data directory that has the jobs of a cluster.
func checkSingle(dataDir string) error {
	if nodecmd.HasData(filepath.Join(dataDir, nodecmd.MemberDir)) {
		return fmt.Errorf("--etcd-data-dir %s has the jobs of a cluster in %s, which a single scheduler does not read: name all schedulers in --etcd-initial-cluster, or use another directory",
			dataDir, nodecmd.MemberDir)
	}
	return nil
}

// clientTLS returns the TLS configuration for an external etcd, or nil without TLS. Each connection reads the
// files again, so that they can be renewed.
func (c *etcdOptions) clientTLS() (*tls.Config, error) {
	if c.certFile == "" {
		return nil, nil //nolint:nilnil // without TLS
	}
	authorities, err := os.ReadFile(c.authorityFile)
	if err != nil {
		return nil, fmt.Errorf("--etcd-tls-ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authorities) {
		return nil, fmt.Errorf("--etcd-tls-ca-file %s has no certificate in PEM", c.authorityFile)
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
