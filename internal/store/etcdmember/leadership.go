package etcdmember

import (
	"context"
	"log/slog"
	"time"
)

// yieldTimeout is how long the transfer of the leadership may take, over all members.
const yieldTimeout = 500 * time.Millisecond

// YieldLeadership transfers the leadership to another member, if this one is the leader. A node
// calls it before it stops, so that calls through the leader do not fail. It returns soon, even if
// no other member takes over.
func (m *Member) YieldLeadership(ctx context.Context) {
	e := m.running.Load()
	if e == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, yieldTimeout)
	defer cancel()
	own := e.Server.MemberID()
	for _, other := range e.Server.Cluster().Members() {
		if e.Server.Leader() != own {
			return
		}
		if other.ID == own || other.IsLearner {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, yieldTimeout/2) // this member may be down
		err := e.Server.MoveLeader(bounded, uint64(own), uint64(other.ID))
		cancel()
		m.log.LogAttrs(ctx, slog.LevelDebug, "transferred the leadership of etcd", slog.String("member", other.Name), slog.Any("err", err))
	}
}

// noLeaderTime is how long there must be no leader before WaitNoLeader returns. With a majority, an
// election takes less.
const noLeaderTime = 500 * time.Millisecond

// WaitNoLeader waits until the member has had no leader for a while, and then returns true; or
// until ctx ends.
func (m *Member) WaitNoLeader(ctx context.Context) bool {
	tick := time.NewTicker(noLeaderTime / 10)
	defer tick.Stop()
	for since := time.Now(); time.Since(since) < noLeaderTime; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
		if e := m.running.Load(); e == nil || e.Server.Leader() != 0 {
			since = time.Now()
		}
	}
	return true
}
