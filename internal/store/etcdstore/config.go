package etcdstore

import (
	"crypto/tls"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Config configures a store on etcd. Only Endpoints is required.
type Config struct {
	// Endpoints are the addresses of members, such as http://10.0.0.1:2379.
	Endpoints []string
	// KV is an etcd member in this process, for the records; nil uses Endpoints. All other calls
	// use Endpoints.
	KV etcdserverpb.KVServer
	// TLS configures connections to Endpoints; nil means plaintext.
	TLS *tls.Config
	// Username and Password authenticate to etcd, if it requires that.
	Username, Password string
	// Prefix begins all keys in etcd; empty means "carillon/". Nothing else may use it.
	Prefix string
	// MaxTxnOps and MaxRequestBytes are etcd's limits for a transaction; 0 means etcd's defaults,
	// 128 operations and 1.5 MiB.
	MaxTxnOps, MaxRequestBytes int
	// Timeout is how long a call may wait for etcd; 0 means 5 s.
	Timeout time.Duration
	// Compact is the interval of compactions; each removes the revisions older than the interval. 0
	// means 5 min.
	Compact time.Duration
	// Watch is the interval of checks of the members' database sizes; 0 means 5 s.
	Watch time.Duration
	// Metrics is where the store registers its metrics; nil means nowhere.
	Metrics prometheus.Registerer
}

const (
	defaultPrefix          = "carillon/"
	defaultMaxTxnOps       = 128
	defaultMaxRequestBytes = 3 << 19
	defaultTimeout         = 5 * time.Second
	defaultCompact         = 5 * time.Minute
	defaultWatch           = 5 * time.Second
)

func (c Config) withDefaults() Config {
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	if c.MaxTxnOps == 0 {
		c.MaxTxnOps = defaultMaxTxnOps
	}
	if c.MaxRequestBytes == 0 {
		c.MaxRequestBytes = defaultMaxRequestBytes
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Compact == 0 {
		c.Compact = defaultCompact
	}
	if c.Watch == 0 {
		c.Watch = defaultWatch
	}
	return c
}
