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

// A kv passes calls to the member's server, once it serves.
type kv struct {
	server atomic.Pointer[etcdserverpb.KVServer]
}

var _ etcdserverpb.KVServer = (*kv)(nil)

// KV returns the member's data for callers in this process, who need no connection. Calls are Unavailable while the member
// does not serve.
func (m *Member) KV() etcdserverpb.KVServer { return &m.kv }

// serve has calls go to e when it is ready, until ctx ends.
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

func (k *kv) get() (etcdserverpb.KVServer, error) {
	s := k.server.Load()
	if s == nil {
		return nil, status.Error(codes.Unavailable, "this node's etcd does not serve: it is starting or stopping")
	}
	return *s, nil
}

// Range is that of etcd.
func (k *kv) Range(ctx context.Context, r *etcdserverpb.RangeRequest) (*etcdserverpb.RangeResponse, error) {
	s, err := k.get()
	if err != nil {
		return nil, err
	}
	return s.Range(ctx, r)
}

// Put is that of etcd.
func (k *kv) Put(ctx context.Context, r *etcdserverpb.PutRequest) (*etcdserverpb.PutResponse, error) {
	s, err := k.get()
	if err != nil {
		return nil, err
	}
	return s.Put(ctx, r)
}

// DeleteRange is that of etcd.
func (k *kv) DeleteRange(
	ctx context.Context, r *etcdserverpb.DeleteRangeRequest,
) (*etcdserverpb.DeleteRangeResponse, error) {
	s, err := k.get()
	if err != nil {
		return nil, err
	}
	return s.DeleteRange(ctx, r)
}

// Txn is that of etcd.
func (k *kv) Txn(ctx context.Context, r *etcdserverpb.TxnRequest) (*etcdserverpb.TxnResponse, error) {
	s, err := k.get()
	if err != nil {
		return nil, err
	}
	return s.Txn(ctx, r)
}

// Compact is that of etcd.
func (k *kv) Compact(
	ctx context.Context, r *etcdserverpb.CompactionRequest,
) (*etcdserverpb.CompactionResponse, error) {
	s, err := k.get()
	if err != nil {
		return nil, err
	}
	return s.Compact(ctx, r)
}
