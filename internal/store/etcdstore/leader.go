package etcdstore

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// An age is how far etcd had got as of the latest answer. It is safe for concurrent use.
type clock struct {
	mu       sync.Mutex // guards the fields below
	term     uint64     // counts its leaders
	revision int64      // counts its transactions
}

// heard notes an answer.
func (a *clock) observe(h *etcdserverpb.ResponseHeader) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.term, a.revision = max(a.term, h.GetRaftTerm()), max(a.revision, h.GetRevision())
}

// latest returns the term and the revision; 0 if nothing was heard yet.
func (a *clock) latest() (term uint64, revision int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.term, a.revision
}

// errLeaderLost is how a commit ends whose fate nobody will tell.
var errLeaderLost = errors.New("etcd has another leader, and no answer of the one before")

// Etcd gives no answer to what a leader was asked that is one no more: who waits for it waits until his time is up. So a
// commit that takes longer than this looks whether there is another leader, and again and again.
const leaderCheckInterval = 20 * time.Millisecond

// whileLed calls do with a context that ends with [errLeaderLost] when there is another leader than when it was called,
// that leader is at work, and do has not ended yet.
func (s *Store) withLeaderCheck(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	term, _ := s.progress.latest()
	checked := make(chan struct{})
	timer := time.AfterFunc(leaderCheckInterval, func() {
		defer close(checked)
		for term > 0 && ctx.Err() == nil {
			if s.hasNewLeader(ctx, term) {
				pause(ctx, leaderCheckInterval/2) // what the new leader has taken over is answered now
				end(errLeaderLost)
			}
			pause(ctx, leaderCheckInterval)
		}
	})
	err := do(ctx)
	end(nil)
	if !timer.Stop() {
		<-checked
	}
	if err != nil && errors.Is(context.Cause(ctx), errLeaderLost) {
		return errLeaderLost
	}
	return err
}

// ledAnew reports whether a leader is at work who came after the term.
func (s *Store) hasNewLeader(ctx context.Context, term uint64) bool {
	near, err := s.kv.Get(ctx, s.records, clientv3.WithLimit(1), clientv3.WithKeysOnly(), clientv3.WithSerializable())
	if err != nil || near.Header.GetRaftTerm() <= term {
		return false
	}
	// This one the leader has to answer. What was decided before has been applied then.
	far, err := s.kv.Get(ctx, s.records, clientv3.WithLimit(1), clientv3.WithKeysOnly())
	return err == nil && far.Header.GetRaftTerm() > term
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
