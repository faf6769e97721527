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
	// writeOverhead is the maximum that etcd's encoding adds to a key and its value: three tags
	// with lengths of messages, and two of strings.
	writeOverhead = 32
	// requestOverhead is the maximum that it adds to a transaction, with the fences of 64
	// partitions.
	requestOverhead = 8 << 10
)

// MaxBatch returns the limits of one etcd transaction.
func (s *Store) MaxBatch() (writes, bytes int) {
	writes = s.config.MaxTxnOps
	return writes, s.config.MaxRequestBytes - requestOverhead - writes*(len(s.records)+writeOverhead)
}

// Commit implements [store.Store]. It refuses a batch larger than MaxBatch, and waits for etcd for
// [Config].Timeout at most. An error that is [job.ErrFull] means that etcd's quota is exceeded, and
// that only deletions are possible.
//
// A batch with an unknown fate may still be applied until its fence is invalid. So a caller that
// reloads after an error must renew the claim first.
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

// resolveNoSpace returns the result of the commit of b, which etcd refused for lack of space. Etcd
// applies the transaction with which it detects that its quota is exceeded, but gives the same
// error. Only this caller writes the keys of b. So if a key was written after the revision before,
// which was seen before the commit, then b was applied.
func (s *Store) resolveNoSpace(ctx context.Context, b *store.Batch, before int64, refusal error) error {
	// All writes are applied, or none.
	if i := slices.IndexFunc(b.Writes, func(w store.Write) bool { return !w.Remove }); i >= 0 {
		resp, err := s.kv.Get(ctx, s.key(b.Writes[i].Key), clientv3.WithKeysOnly())
		if err != nil {
			return fmt.Errorf("etcd's quota is exceeded; find out whether the writes were applied: %w", explain(ctx, err))
		}
		s.progress.observe(resp.Header)
		if len(resp.Kvs) > 0 && resp.Kvs[0].ModRevision > before {
			return nil
		}
	}
	return fmt.Errorf("%w: etcd's quota is exceeded: %w", job.ErrFull, refusal)
}

// check returns an error if b is larger than MaxBatch.
func (s *Store) check(b *store.Batch) error {
	n := 0
	for _, w := range b.Writes {
		n += len(w.Key) + len(w.Value)
	}
	if writes, bytes := s.MaxBatch(); len(b.Writes) > writes || n > bytes {
		return fmt.Errorf("%d bytes in %d writes exceed a batch of %d bytes in %d writes: split it, or raise etcd's limits",
			n, len(b.Writes), bytes, writes)
	}
	return nil
}

// key returns the key in etcd of the record with key k.
func (s *Store) key(k []byte) string { return s.records + string(k) }
