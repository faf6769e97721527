package etcdstore

import (
	"context"
	"fmt"
	"iter"

	clientv3 "go.etcd.io/etcd/client/v3"

	"carillon/internal/store"
)

// readView is a store whose reads have options.
type readView struct {
	*Store
	opts []clientv3.OpOption
}

// LocalReads returns the store for reads of records that only the caller writes. They are cheaper:
// the member answers from its own data. That is complete if the single endpoint is always the same
// member, which applies a commit or a claim, and all earlier writes, before it responds. With
// several endpoints LocalReads returns the store itself.
func (s *Store) LocalReads() store.Store {
	if len(s.config.Endpoints) != 1 {
		return s
	}
	return readView{s, []clientv3.OpOption{clientv3.WithSerializable()}}
}

// Snapshot returns the store at its present revision: reads see no later write. It is usable until
// etcd compacts that revision, some minutes later.
func (s *Store) Snapshot(ctx context.Context) (store.Store, error) {
	bounded, cancel := s.withTimeout(ctx)
	defer cancel()
	resp, err := s.kv.Get(bounded, s.records, clientv3.WithCountOnly())
	if err != nil {
		return nil, fmt.Errorf("read etcd's present revision: %w", explain(bounded, err))
	}
	return readView{s, []clientv3.OpOption{clientv3.WithRev(resp.Header.Revision)}}, nil
}

// Get implements [store.Store].
func (v readView) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return v.getWith(ctx, keys, v.opts...)
}

// Scan implements [store.Store].
func (v readView) Scan(ctx context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	return v.scanWith(ctx, r, limit, v.opts...)
}
