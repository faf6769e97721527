package etcdmember

import (
	"context"
	"sync/atomic"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// kv passes calls to the member's server while it serves. A write succeeds only if the data
// directory is in place afterwards.
type kv struct {
	server       atomic.Pointer[etcdserverpb.KVServer]
	checkPresent func() error
}

var _ etcdserverpb.KVServer = (*kv)(nil)

// serve passes calls to e when it is ready, until ctx ends.
func (k *kv) serve(ctx context.Context, e *embed.Etcd) {
	select {
	case <-e.Server.ReadyNotify():
		s := v3rpc.NewQuotaKVServer(e.Server)
		k.server.Store(&s)
		<-ctx.Done()
		k.server.Store(nil)
	case <-ctx.Done():
	}
}

// call makes a call to the server.
func call[Q, A any](
	ctx context.Context, k *kv, do func(etcdserverpb.KVServer, context.Context, Q) (A, error), question Q,
) (answer A, err error) {
	s := k.server.Load()
	if s == nil {
		return answer, status.Error(codes.Unavailable, "this node's etcd does not serve: it is starting or stopping")
	}
	type result struct {
		answer A
		err    error
	}
	done := make(chan result, 1)
	go func() {
		a, err := do(*s, ctx, question)
		done <- result{a, err}
	}()
	select {
	case r := <-done:
		return r.answer, r.err
	case <-ctx.Done():
		return answer, status.FromContextError(ctx.Err()).Err()
	}
}

// write is call for writes.
func write[Q, A any](
	ctx context.Context, k *kv, do func(etcdserverpb.KVServer, context.Context, Q) (A, error), question Q,
) (answer A, err error) {
	answer, err = call(ctx, k, do, question)
	if err == nil {
		if gone := k.checkPresent(); gone != nil {
			return answer, status.Error(codes.Unavailable, gone.Error())
		}
	}
	return answer, err
}

// Range implements [etcdserverpb.KVServer].
func (k *kv) Range(ctx context.Context, r *etcdserverpb.RangeRequest) (*etcdserverpb.RangeResponse, error) {
	return call(ctx, k, etcdserverpb.KVServer.Range, r)
}

// Put implements [etcdserverpb.KVServer].
func (k *kv) Put(ctx context.Context, r *etcdserverpb.PutRequest) (*etcdserverpb.PutResponse, error) {
	return write(ctx, k, etcdserverpb.KVServer.Put, r)
}

// DeleteRange implements [etcdserverpb.KVServer].
func (k *kv) DeleteRange(ctx context.Context, r *etcdserverpb.DeleteRangeRequest) (*etcdserverpb.DeleteRangeResponse, error) {
	return write(ctx, k, etcdserverpb.KVServer.DeleteRange, r)
}

// Txn implements [etcdserverpb.KVServer].
func (k *kv) Txn(ctx context.Context, r *etcdserverpb.TxnRequest) (*etcdserverpb.TxnResponse, error) {
	return write(ctx, k, etcdserverpb.KVServer.Txn, r)
}

// Compact implements [etcdserverpb.KVServer].
func (k *kv) Compact(ctx context.Context, r *etcdserverpb.CompactionRequest) (*etcdserverpb.CompactionResponse, error) {
	return call(ctx, k, etcdserverpb.KVServer.Compact, r)
}
