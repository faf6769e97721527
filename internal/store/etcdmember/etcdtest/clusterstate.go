package etcdtest

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// clusterState is what the members of an etcd share, and what they report.
type clusterState struct {
	mu sync.Mutex // guards the fields below, and those of each member
	keyspace
	leases  map[int64]*lease
	granted int64           // the ID of the latest lease
	members []*memberServer // the first exists from the start
	upkeep  []string        // compactions, defragmentations and disarmed alarms, in order
}

// A lease expires, with its keys, when it is not renewed within its TTL.
type lease struct {
	ttl    time.Duration
	expiry *time.Timer
}

// full reports whether an alarm is on.
func (s *clusterState) full() bool {
	return slices.ContainsFunc(s.members, func(p *memberServer) bool { return p.Alarm })
}

// grant creates a lease, and returns its ID.
func (s *clusterState) grant(ttl time.Duration) (id int64) {
	s.granted++
	id = s.granted
	s.leases[id] = &lease{ttl, time.AfterFunc(ttl, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.drop(id)
	})}
	return id
}

// drop ends a lease, and removes its keys.
func (s *clusterState) drop(id int64) {
	s.leases[id].expiry.Stop()
	delete(s.leases, id)
	b := &txn{keyspace: &s.keyspace}
	for _, kv := range slices.Collect(maps.Values(s.keys)) {
		if kv.Lease == id {
			b.remove(kv.Key, nil)
		}
	}
	b.end()
}
