package etcdstore

import (
	"context"
	"fmt"
	"iter"

	clientv3 "go.etcd.io/etcd/client/v3"

	"carillon/internal/store"
)

// A view is a store whose reads have options.
type readView struct {
	*Store
	opts []clientv3.OpOption
}

// Own returns the store for reads of what nobody but the caller writes. They are cheaper, because the member that is
// asked answers from what it has. That is all there is if the one endpoint is always the same member: it answers a commit
// when it has applied it, and a claim likewise, after everything that was written under the claims before. With several
// endpoints the store itself is returned.
func (s *Store) LocalReads() store.Store {
	if len(s.config.Endpoints) != 1 {
		return s
	}
	return readView{s, []clientv3.OpOption{clientv3.WithSerializable()}}
}

// Now returns the store as it is at this moment, for reads that see nothing later. It is to be had until the moment is
// thrown away with etcd's past, some minutes later.
func (s *Store) Snapshot(ctx context.Context) (store.Store, error) {
	bounded, cancel := s.withTimeout(ctx)
	defer cancel()
	resp, err := s.kv.Get(bounded, s.records, clientv3.WithCountOnly())
	if err != nil {
		return nil, fmt.Errorf("find out what etcd's present moment is: %w", explain(bounded, err))
	}
	return readView{s, []clientv3.OpOption{clientv3.WithRev(resp.Header.Revision)}}, nil
}

// Get is [store.Store.Get].
func (v readView) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return v.getWith(ctx, keys, v.opts...)
}

// Scan is [store.Store.Scan].
func (v readView) Scan(ctx context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	return v.scanWith(ctx, r, limit, v.opts...)
}
