package app

import (
	"context"
	"time"

	"carillon/internal/cluster"
	"carillon/internal/crossorigin"
	"carillon/internal/descriptors"
	"carillon/internal/dispatch"
	"carillon/internal/engine"
	"carillon/internal/kubernetes"
	"carillon/internal/management"
	"carillon/internal/memory"
	"carillon/internal/scheduler"
	"carillon/internal/store/etcdmember"
	"carillon/internal/store/etcdstore"
	"carillon/internal/store/pebblestore"
)

// Config configures the scheduler of a node: a scheduler node, or an all-in-one node.
type Config struct {
	Store     pebblestore.Config
	Engine    engine.Config
	Dispatch  dispatch.Config
	Scheduler scheduler.Config
	// Cluster replaces Store in a node of a cluster; nil means a single node. In a cluster,
	// Scheduler.Hosts are the addresses of the members.
	Cluster *ClusterConfig
	// Memory is the memory budget of each part of the node. Zero means the parts' own defaults.
	Memory memory.Shares
	// Descriptors is the budget of file descriptors of each part of the node. Zero means the
	// parts' own defaults.
	Descriptors descriptors.Shares
	// Hosts are the host names and addresses under which clients may call the HTTP listeners.
	Hosts crossorigin.Hosts
	// Namespaces watches the namespaces of Kubernetes; the node deletes the jobs of a deleted one.
	// If it is nil, jobs stay.
	Namespaces *kubernetes.Watcher
	// Management configures the management API.
	Management ManagementConfig
	// Node is what the node says of itself.
	Node NodeConfig
	// OnListening is called when all listeners are open, those that wait for a certificate
	// included, and before the node is ready. It may be nil.
	OnListening func(ctx context.Context)
}

// ManagementConfig configures the management API.
type ManagementConfig struct {
	// Tokens are who may call it; nil: everybody.
	Tokens *management.Tokens
	// Certificate is that of its ports; nil: they are plaintext.
	Certificate *management.Certificate
}

// NodeConfig is what a node says of itself in the management API.
type NodeConfig struct {
	// ID is the ID of a single node; that of a node of a cluster is Cluster.Node.ID.
	ID string
	// Version is the version of the program.
	Version string
	// MemoryLimit is the most bytes that the process may use; 0 if it has no limit.
	MemoryLimit int64
}

// ClusterConfig configures a node of a cluster, which keeps its jobs in an etcd that the nodes share.
type ClusterConfig struct {
	// Node is the node's own id, and the address at which sidecars and other nodes reach it.
	Node cluster.Node
	// Etcd is the address of that etcd, and its limits.
	Etcd etcdstore.Config
	// Member configures the etcd member that runs within the node; nil runs none.
	Member *etcdmember.Config
	// TTL is how long other nodes wait for a heartbeat of the node before they take over, as in
	// [cluster.EtcdConfig]. 0 means 1.5 s with a member within the node, and cluster's default
	// without.
	TTL time.Duration
}
