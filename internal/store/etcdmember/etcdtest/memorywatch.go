package etcdtest

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// A watcher is a client's. etcd's own waits for a channel that is older than any bubble of fake time, which would stand still.
type watcher struct {
	memory *Memory
	name   string
}

// Watch is that of etcd's client, without filters, without progress and without what a key was before.
func (w watcher) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	events := make(chan clientv3.WatchResponse)
	go func() {
		defer close(events)
		m, op := w.memory, clientv3.OpGet(key, opts...)
		if m.Unwatchable {
			return
		}
		for next := op.Rev(); m.reach(ctx, w.name) == nil; {
			m.mu.Lock()
			if next == 0 {
				next = m.now + 1
			}
			r := clientv3.WatchResponse{Header: *m.header()}
			for _, e := range m.history {
				if e.revision >= next && holds(e.Kv.Key, op.KeyBytes(), op.RangeBytes()) {
					r.Events = append(r.Events, (*clientv3.Event)(e.Event))
				}
			}
			next = m.now + 1
			changed := m.changed
			m.mu.Unlock()
			if len(r.Events) > 0 && m.reach(ctx, w.name) == nil {
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

// RequestProgress is that of etcd's client, and does nothing.
func (watcher) RequestProgress(context.Context) error { return nil }

// Close is that of etcd's client. A watch ends with its context.
func (watcher) Close() error { return nil }
