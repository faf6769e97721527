package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"carillon/internal/job"
	"carillon/internal/store"
)

const (
	// perWrite is what etcd's encoding adds to a key and its value, at most: three tags with lengths of messages, and
	// two of strings.
	writeOverhead = 32
	// perRequest is what it adds to a transaction, the fences of 64 partitions included.
	requestOverhead = 8 << 10
)

// MaxBatch returns what one transaction of etcd can carry.
func (s *Store) MaxBatch() (writes, bytes int) {
	writes = s.config.MaxTxnOps
	return writes, s.config.MaxRequestBytes - requestOverhead - writes*(len(s.records)+writeOverhead)
}

// Commit keeps the contract of [store.Store]. A batch larger than MaxBatch is refused. It waits for etcd no longer than
// [Config].Timeout. An error that is [job.ErrFull] says that etcd's quota is exceeded, and that it takes deletions alone.
//
// A batch whose fate is unknown may still be applied, until its fence is void. So who loads afresh after an error renews
// the claim first.
func (s *Store) Commit(ctx context.Context, b *store.Batch) error {
	if err := s.commit(ctx, b); err != nil {
		return fmt.Errorf("commit %d writes: %w", len(b.Writes), err)
	}
	return nil
}

func (s *Store) commit(ctx context.Context, b *store.Batch) error {
	if err := s.check(b); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := s.withTimeout(ctx)
	defer cancel()
	var compare []clientv3.Cmp
	for _, f := range b.Fences {
		compare = append(compare, clientv3.Compare(clientv3.ModRevision(f.Key), "=", f.Revision))
	}
	ops := make([]clientv3.Op, 0, len(b.Writes))
	for _, w := range b.Writes {
		if w.Remove {
			ops = append(ops, clientv3.OpDelete(s.key(w.Key)))
		} else {
			ops = append(ops, clientv3.OpPut(s.key(w.Key), string(w.Value)))
		}
	}
	_, before := s.progress.latest()
	var resp *clientv3.TxnResponse
	err := s.withLeaderCheck(ctx, func(ctx context.Context) (err error) {
		if resp, err = s.kv.Txn(ctx).If(compare...).Then(ops...).Commit(); err != nil {
			return explain(ctx, err)
		}
		s.progress.observe(resp.Header)
		return nil
	})
	switch {
	case errors.Is(err, rpctypes.ErrNoSpace):
		s.capacity.exceeded()
		return s.resolveNoSpace(ctx, b, before, err)
	case err != nil:
		return err
	case !resp.Succeeded:
		return store.ErrFenced
	}
	return nil
}

// refused returns how the commit of b has ended that etcd had no room for. The transaction by which etcd finds out that its
// quota is exceeded is applied, and answered like those that are not. What b writes nobody else does: so if that is of
// after the revision before, which was heard of before the commit, it is of b.
func (s *Store) resolveNoSpace(ctx context.Context, b *store.Batch, before int64, refusal error) error {
	if i := slices.IndexFunc(b.Writes, func(w store.Write) bool { return !w.Remove }); i >= 0 { // all are applied, or none
		resp, err := s.kv.Get(ctx, s.key(b.Writes[i].Key), clientv3.WithKeysOnly())
		if err != nil {
			return fmt.Errorf("etcd's quota is exceeded, and whether by these: %w", explain(ctx, err))
		}
		s.progress.observe(resp.Header)
		if len(resp.Kvs) > 0 && resp.Kvs[0].ModRevision > before {
			return nil
		}
	}
	return fmt.Errorf("%w: etcd's quota is exceeded: %w", job.ErrFull, refusal)
}

func (s *Store) check(b *store.Batch) error {
	n := 0
	for _, w := range b.Writes {
		n += len(w.Key) + len(w.Value)
	}
	if writes, bytes := s.MaxBatch(); len(b.Writes) > writes || n > bytes {
		return fmt.Errorf("%d bytes in %d writes are too much for one batch, which carries %d in %d: split it, or raise what etcd allows",
			n, len(b.Writes), bytes, writes)
	}
	return nil
}

// key returns where etcd has the record of this key.
func (s *Store) key(k []byte) string { return s.records + string(k) }
