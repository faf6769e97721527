package cluster

import (
	"fmt"
	"strconv"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// These methods return the keys in etcd, each with the prefix.
func (e *Etcd) clusterKey() string { return e.config.Prefix + "cluster/" }

func (e *Etcd) assignmentKey() string { return e.clusterKey() + "assignment" }

func (e *Etcd) nodesKey() string { return e.clusterKey() + "node/" }

func (e *Etcd) nodeKey(id string) string { return e.nodesKey() + id }

func (e *Etcd) secretsKey() string { return e.clusterKey() + "secret/" }

func (e *Etcd) secretKey(id string) string { return e.secretsKey() + id }

func (e *Etcd) formatsKey() string { return e.clusterKey() + "format/" }

func (e *Etcd) formatKey(id string) string { return e.formatsKey() + id }

func (e *Etcd) claimKey(partition int) string {
	return fmt.Sprintf("%sclaim/%04d", e.config.Prefix, partition)
}

// heartbeatsKey returns the prefix of the keys of heartbeats. They are not below clusterKey, so
// that watches of the members do not see each heartbeat.
func (e *Etcd) heartbeatsKey() string { return e.config.Prefix + "heartbeat/" }

func (e *Etcd) heartbeatKey(lease clientv3.LeaseID) string {
	return fmt.Sprintf("%s%016x", e.heartbeatsKey(), int64(lease))
}

// leaseOf returns the lease of the session with that heartbeat key.
func (e *Etcd) leaseOf(heartbeatKey string) (clientv3.LeaseID, error) {
	id, err := strconv.ParseInt(strings.TrimPrefix(heartbeatKey, e.heartbeatsKey()), 16, 64)
	return clientv3.LeaseID(id), err
}
