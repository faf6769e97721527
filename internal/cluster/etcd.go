package cluster

import (
	"log/slog"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

var _ Coordinator = (*Etcd)(nil)

// EtcdConfig configures the coordination through etcd. It must be the same for all nodes of a
// cluster, except for TTL.
type EtcdConfig struct {
	// Prefix begins all keys in etcd, as in the store; empty means "carillon/".
	Prefix string
	// Partitions is the number of partitions; 0 means 64.
	Partitions int
	// TTL is how long other nodes wait for a heartbeat of the node before they consider it lost;
	// until then no other node takes over its partitions. It must exceed the time of an election in
	// etcd; 0 means 3 s.
	TTL time.Duration
}

const (
	defaultPrefix     = "carillon/"
	defaultPartitions = 64
	defaultTTL        = 3 * time.Second // etcd elects a leader within two, unless it is told otherwise
)

// Etcd is a [Coordinator] on an etcd that the nodes share.
type Etcd struct {
	config EtcdConfig
	client *clientv3.Client
	log    *slog.Logger
}

// NewEtcd returns a coordinator on a client, which the caller closes.
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
