package etcdtest

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// watcher is the watcher of a client. etcd's own uses a channel that was created outside of the test's
// synctest bubble, so that fake time would stand still.
type watcher struct {
	state   *clusterState
	network *network
	faults  *Faults
	name    string
}

// Watch implements [clientv3.Watcher], without filters, progress and previous values.
func (w watcher) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	events := make(chan clientv3.WatchResponse)
	go func() {
		defer close(events)
		s, op := w.state, clientv3.OpGet(key, opts...)
		if w.faults.Unwatchable {
			return
		}
		for next := op.Rev(); w.network.reach(ctx, w.name) == nil; {
			s.mu.Lock()
			if next == 0 {
				next = s.now + 1
			}
			r := clientv3.WatchResponse{Header: *s.header()}
			for _, e := range s.history {
				if e.revision >= next && holds(e.Kv.Key, op.KeyBytes(), op.RangeBytes()) {
					r.Events = append(r.Events, (*clientv3.Event)(e.Event))
				}
			}
			next = s.now + 1
			changed := s.changed
			s.mu.Unlock()
			if len(r.Events) > 0 && w.network.reach(ctx, w.name) == nil {
				select {
				case events <- r:
				case <-ctx.Done():
				}
			}
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}()
	return events
}

// RequestProgress implements [clientv3.Watcher], and does nothing.
func (watcher) RequestProgress(context.Context) error { return nil }

// Close implements [clientv3.Watcher]. A watch ends with its context.
func (watcher) Close() error { return nil }
