package etcdmember

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A lockedServer is one whose locks are held by a goroutine that has ended: it answers nothing,
// whatever the context says.
type lockedServer struct {
	etcdserverpb.UnimplementedKVServer

	unlock chan struct{}
}

func (s *lockedServer) Range(context.Context, *etcdserverpb.RangeRequest) (*etcdserverpb.RangeResponse, error) {
	<-s.unlock
	return nil, nil
}

func TestCallOfFailedMemberEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		locked := &lockedServer{unlock: make(chan struct{})}
		defer close(locked.unlock)
		var k kv
		s := etcdserverpb.KVServer(locked)
		k.server.Store(&s)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begun := time.Now()
		_, err := k.Range(ctx, new(etcdserverpb.RangeRequest))
		if took := time.Since(begun); status.Code(err) != codes.DeadlineExceeded || took != 5*time.Second {
			t.Errorf("after %v: %v, want DeadlineExceeded after 5 s", took, err)
		}
	})
}

// A calm server carries out everything.
type calm struct {
	etcdserverpb.UnimplementedKVServer
}

func (*calm) Range(context.Context, *etcdserverpb.RangeRequest) (*etcdserverpb.RangeResponse, error) {
	return &etcdserverpb.RangeResponse{Count: 1}, nil
}

func (*calm) Put(context.Context, *etcdserverpb.PutRequest) (*etcdserverpb.PutResponse, error) {
	return new(etcdserverpb.PutResponse), nil
}

func (*calm) DeleteRange(context.Context, *etcdserverpb.DeleteRangeRequest) (*etcdserverpb.DeleteRangeResponse, error) {
	return new(etcdserverpb.DeleteRangeResponse), nil
}

func (*calm) Txn(context.Context, *etcdserverpb.TxnRequest) (*etcdserverpb.TxnResponse, error) {
	return new(etcdserverpb.TxnResponse), nil
}

func (*calm) Compact(context.Context, *etcdserverpb.CompactionRequest) (*etcdserverpb.CompactionResponse, error) {
	return new(etcdserverpb.CompactionResponse), nil
}

func TestWritesFailWithoutDirectory(t *testing.T) {
	ctx := t.Context()
	var k kv
	var here error
	k.checkPresent = func() error { return here }
	calls := func() map[string]error {
		_, read := k.Range(ctx, new(etcdserverpb.RangeRequest))
		_, compacted := k.Compact(ctx, new(etcdserverpb.CompactionRequest))
		_, put := k.Put(ctx, new(etcdserverpb.PutRequest))
		_, removed := k.DeleteRange(ctx, new(etcdserverpb.DeleteRangeRequest))
		_, written := k.Txn(ctx, new(etcdserverpb.TxnRequest))
		return map[string]error{"Range": read, "Compact": compacted, "Put": put, "DeleteRange": removed, "Txn": written}
	}
	for call, err := range calls() {
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "does not serve") {
			t.Errorf("%s of a member that does not serve = %v", call, err)
		}
	}
	s := etcdserverpb.KVServer(new(calm))
	k.server.Store(&s)
	for call, err := range calls() {
		if err != nil {
			t.Errorf("%s = %v", call, err)
		}
	}
	here = errors.New("the data directory is gone")
	for call, err := range calls() {
		if reads := call == "Range" || call == "Compact"; reads != (err == nil) {
			t.Errorf("%s without a folder = %v", call, err)
		}
	}
}
