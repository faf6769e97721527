package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"carillon/internal/store"
)

// Get implements [store.Store]; all values are of one revision. It costs one round trip per
// [Config].MaxTxnOps keys.
func (s *Store) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return s.getWith(ctx, keys)
}

func (s *Store) getWith(ctx context.Context, keys [][]byte, opts ...clientv3.OpOption) ([][]byte, error) {
	values, err := s.get(ctx, keys, opts)
	if errors.Is(err, rpctypes.ErrCompacted) { // the revision was compacted meanwhile
		values, err = s.get(ctx, keys, opts)
	}
	if err != nil {
		return nil, fmt.Errorf("get %d keys: %w", len(keys), err)
	}
	return values, nil
}

func (s *Store) get(ctx context.Context, keys [][]byte, opts []clientv3.OpOption) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := s.withTimeout(ctx)
	defer cancel()
	values := make([][]byte, 0, len(keys))
	revision := int64(0) // 0 means the latest; then that of the first response
	for part := range slices.Chunk(keys, s.config.MaxTxnOps) {
		ops := make([]clientv3.Op, 0, len(part))
		for _, k := range part {
			ops = append(ops, clientv3.OpGet(s.key(k), append([]clientv3.OpOption{clientv3.WithRev(revision)}, opts...)...))
		}
		resp, err := s.kv.Txn(ctx).Then(ops...).Commit()
		if err != nil {
			return nil, explain(ctx, err)
		}
		if revision == 0 {
			revision = resp.Header.Revision
		}
		s.progress.observe(resp.Header)
		for _, r := range resp.Responses {
			var v []byte
			if kvs := r.GetResponseRange().Kvs; len(kvs) > 0 {
				v = present(kvs[0])
			}
			values = append(values, v)
		}
	}
	return values, nil
}

// present returns the value of kv, never nil.
func present(kv *mvccpb.KeyValue) []byte {
	if kv.Value == nil {
		return []byte{}
	}
	return kv.Value
}

// The first page of a scan is small, because it may be all that is read. Later pages have about
// pageBytes, estimated from the page before, within limits.
const (
	firstPage = 256
	maxPage   = 10_000
	pageBytes = 2 << 20
)

// Scan implements [store.Store]. It reads page by page.
func (s *Store) Scan(ctx context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	return s.scanWith(ctx, r, limit)
}

func (s *Store) scanWith(
	ctx context.Context, r store.Range, limit int, opts ...clientv3.OpOption,
) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		if err := s.scan(ctx, r, limit, opts, func(p store.Pair) bool { return yield(p, nil) }); err != nil {
			yield(store.Pair{}, fmt.Errorf("scan: %w", err))
		}
	}
}

// scan passes pairs to yield until yield returns false, which is not an error.
func (s *Store) scan(
	ctx context.Context, r store.Range, limit int, opts []clientv3.OpOption, yield func(store.Pair) bool,
) error {
	from, to := s.key(r.From), clientv3.GetPrefixRangeEnd(s.records)
	if r.To != nil {
		to = s.key(r.To)
	}
	var p pageBounds
	left, end := limit, to
	for page := firstPage; from < to; {
		if limit > 0 {
			page = min(page, left)
		}
		kvs, more, err := s.page(ctx, from, end, page, opts)
		if err != nil {
			return err
		}
		bytes := 0
		for _, kv := range kvs {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !yield(store.Pair{Key: kv.Key[len(s.records):], Value: present(kv)}) {
				return nil
			}
			bytes += len(kv.Key) + len(kv.Value)
		}
		if left -= len(kvs); limit > 0 && left <= 0 {
			return nil
		}
		if n := len(kvs); n > 0 {
			page = max(1, min(pageBytes*n/bytes, 16*n, maxPage))
			p.learn(from, kvs, page)
		}
		if from = end; more {
			from = string(kvs[len(kvs)-1].Key) + "\x00"
		}
		end = p.end(from, to)
	}
	return ctx.Err()
}

// page returns the first n records in a range, and whether there are more.
func (s *Store) page(
	ctx context.Context, from, to string, n int, opts []clientv3.OpOption,
) (kvs []*mvccpb.KeyValue, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	ctx, cancel := s.withTimeout(ctx)
	defer cancel()
	resp, err := s.kv.Get(ctx, from,
		append(slices.Clip(opts), clientv3.WithRange(to), clientv3.WithLimit(int64(n)))...)
	if err != nil {
		return nil, false, explain(ctx, err)
	}
	s.progress.observe(resp.Header)
	return resp.Kvs, resp.More, nil
}
