package etcdstore

import (
	"sync"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// clock is the latest raft term and revision in any response of etcd. It is safe for concurrent
// use.
type clock struct {
	mu       sync.Mutex // guards the fields below
	term     uint64     // of the leader
	revision int64      // of the last transaction
}

// observe records the header of a response.
func (a *clock) observe(h *etcdserverpb.ResponseHeader) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.term, a.revision = max(a.term, h.GetRaftTerm()), max(a.revision, h.GetRevision())
}

// latest returns the term and the revision; 0 before the first response.
func (a *clock) latest() (term uint64, revision int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.term, a.revision
}
