package etcdstore

import (
	"context"
	"errors"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"carillon/internal/pause"
)

// errLeaderLost is the error of a commit with an unknown fate after a change of leader.
var errLeaderLost = errors.New("etcd has a new leader, and the previous one did not respond")

// leaderCheckInterval is how often a slow commit checks for a new leader. A leader that was deposed
// never answers a commit, so its caller would wait for the whole timeout.
const leaderCheckInterval = 20 * time.Millisecond

// withLeaderCheck calls do with a context that ends with errLeaderLost when another leader than at
// the start is at work and do has not returned.
func (s *Store) withLeaderCheck(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	term, _ := s.progress.latest()
	checked := make(chan struct{})
	timer := time.AfterFunc(leaderCheckInterval, func() {
		defer close(checked)
		for term > 0 && ctx.Err() == nil {
			if s.hasNewLeader(ctx, term) {
				pause.For(ctx, leaderCheckInterval/2) // the new leader answers the calls that it took over
				end(errLeaderLost)
			}
			pause.For(ctx, leaderCheckInterval)
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

// hasNewLeader reports whether a leader of a later term is at work.
func (s *Store) hasNewLeader(ctx context.Context, term uint64) bool {
	local, err := s.kv.Get(ctx, s.records, clientv3.WithLimit(1), clientv3.WithKeysOnly(), clientv3.WithSerializable())
	if err != nil || local.Header.GetRaftTerm() <= term {
		return false
	}
	// The leader must answer this read: everything that was decided before is then applied.
	linearizable, err := s.kv.Get(ctx, s.records, clientv3.WithLimit(1), clientv3.WithKeysOnly())
	return err == nil && linearizable.Header.GetRaftTerm() > term
}
