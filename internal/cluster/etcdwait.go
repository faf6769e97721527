package cluster

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"carillon/internal/pause"
)

// waitForDeletion waits until key may have been deleted after the revision, for a second at most.
func (e *Etcd) waitForDeletion(ctx context.Context, key string, revision int64) error {
	most, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), time.Second)
	defer cancel()
	removals := e.client.Watch(most, key, clientv3.WithRev(revision+1), clientv3.WithFilterPut())
	resp, ok := <-removals
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if (!ok || resp.Err() != nil) && most.Err() == nil { // the watch is broken; do not retry at once
		pause.For(most, minBackoff)
	}
	return nil
}
