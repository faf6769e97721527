package etcdstore

import (
	"context"
	"iter"

	clientv3 "go.etcd.io/etcd/client/v3"

	"carillon/internal/store"
)

// An own is a store whose reads ask one member and not a majority.
type own struct{ *Store }

// Own returns the store for reads of what nobody but the caller writes. They are cheaper, because the member that is
// asked answers from what it has. That is all there is if the one endpoint is always the same member: it answers a commit
// when it has applied it, and a claim likewise, after everything that was written under the claims before. With several
// endpoints the store itself is returned.
func (s *Store) Own() store.Store {
	if len(s.config.Endpoints) != 1 {
		return s
	}
	return own{s}
}

// Get is [store.Store.Get].
func (o own) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return o.getWith(ctx, keys, clientv3.WithSerializable())
}

// Scan is [store.Store.Scan].
func (o own) Scan(ctx context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	return o.scanWith(ctx, r, limit, clientv3.WithSerializable())
}
