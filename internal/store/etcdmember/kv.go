package etcdmember

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A kv passes calls to the member's server, once it serves.
type kv struct {
	server atomic.Pointer[server]
}

// A server is what a member serves.
type server struct {
	etcdserverpb.KVServer
	etcd *etcdserver.EtcdServer
}

// stray is how long a transaction may take that was under way when another member began to lead. It may have been lost
// with the leader before; etcd would not say so before it gives up, after seconds.
const stray = 250 * time.Millisecond

var errStray = errors.New("etcd has another leader, and nobody knows what became of the transaction")

var _ etcdserverpb.KVServer = (*kv)(nil)

// KV returns the member's data for callers in this process, who need no connection. Calls are Unavailable while the member
// does not serve.
func (m *Member) KV() etcdserverpb.KVServer { return &m.kv }

// serve has calls go to e when it is ready, until ctx ends.
func (k *kv) serve(ctx context.Context, e *embed.Etcd) {
	select {
	case <-e.Server.ReadyNotify():
		k.server.Store(&server{v3rpc.NewQuotaKVServer(e.Server), e.Server})
		<-ctx.Done()
		k.server.Store(nil)
	case <-ctx.Done():
	}
}

func (k *kv) get() (*server, error) {
	s := k.server.Load()
	if s == nil {
		return nil, status.Error(codes.Unavailable, "this node's etcd does not serve: it is starting or stopping")
	}
	return s, nil
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

// Txn is that of etcd. It gives up soon after the leader has changed.
func (k *kv) Txn(ctx context.Context, r *etcdserverpb.TxnRequest) (*etcdserverpb.TxnResponse, error) {
	s, err := k.get()
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	changed := s.etcd.LeaderChangedNotify()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-changed:
			timer := time.NewTimer(stray)
			defer timer.Stop()
			select {
			case <-timer.C:
				end(errStray)
			case <-done:
			}
		case <-done:
		}
	}()
	resp, err := s.Txn(ctx, r)
	if err != nil && errors.Is(context.Cause(ctx), errStray) {
		return nil, status.Error(codes.Unavailable, errStray.Error())
	}
	return resp, err
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
