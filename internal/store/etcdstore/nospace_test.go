package etcdstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"carillon/internal/job"
	"carillon/internal/store"
	"carillon/internal/store/etcdstore"
)

// A brimful etcd has no room for puts. The one by which etcd finds that out is applied, and refused all the same: etcd
// looks whether there is room before it applies a transaction, and says so afterwards.
type brimful struct {
	etcdserverpb.UnimplementedKVServer

	mu       sync.Mutex // guards the fields below
	revision int64
	records  map[string]*mvccpb.KeyValue
	crossing bool // the next put is that one
	deaf     bool // reads fail
}

func (k *brimful) header() *etcdserverpb.ResponseHeader {
	return &etcdserverpb.ResponseHeader{Revision: k.revision, RaftTerm: 1}
}

func (k *brimful) Range(_ context.Context, r *etcdserverpb.RangeRequest) (*etcdserverpb.RangeResponse, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.deaf {
		return nil, rpctypes.ErrGRPCTimeout
	}
	resp := &etcdserverpb.RangeResponse{Header: k.header()}
	if kv := k.records[string(r.Key)]; kv != nil {
		resp.Kvs = append(resp.Kvs, kv)
	}
	return resp, nil
}

func (k *brimful) Txn(ctx context.Context, r *etcdserverpb.TxnRequest) (*etcdserverpb.TxnResponse, error) {
	resp := &etcdserverpb.TxnResponse{Succeeded: true}
	puts := false
	for _, op := range r.Success {
		if rr := op.GetRequestRange(); rr != nil {
			got, err := k.Range(ctx, rr)
			if err != nil {
				return nil, err
			}
			resp.Responses = append(resp.Responses, &etcdserverpb.ResponseOp{
				Response: &etcdserverpb.ResponseOp_ResponseRange{ResponseRange: got},
			})
		}
		puts = puts || op.GetRequestPut() != nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if puts && k.crossing {
		k.revision++
		for _, op := range r.Success {
			if p := op.GetRequestPut(); p != nil {
				k.records[string(p.Key)] = &mvccpb.KeyValue{Key: p.Key, Value: p.Value, ModRevision: k.revision}
			}
		}
		k.crossing = false
	}
	if puts {
		return nil, rpctypes.ErrGRPCNoSpace
	}
	resp.Header = k.header()
	return resp, nil
}

func TestCommitOnFullEtcdIsAtomic(t *testing.T) {
	k := &brimful{revision: 7, records: map[string]*mvccpb.KeyValue{}}
	s := open(t, etcdstore.Config{Endpoints: []string{"http://127.0.0.1:1"}, KV: k})
	for _, crossing := range []bool{false, true, false, true} {
		before, err := s.Get(t.Context(), []byte("key"))
		if err != nil {
			t.Fatal(err)
		}
		k.crossing = crossing
		err = put(t.Context(), s, "key", "of the same value each time")
		after, failed := s.Get(t.Context(), []byte("key"))
		if failed != nil {
			t.Fatal(failed)
		}
		switch {
		case crossing && (err != nil || after[0] == nil):
			t.Errorf("what etcd has applied: %v, and the store has %q", err, after[0])
		case !crossing && (!errors.Is(err, job.ErrFull) || string(before[0]) != string(after[0])):
			t.Errorf("what etcd has not applied: %v, and the store has %q, before %q", err, after[0], before[0])
		}
		if s.Full() == nil {
			t.Error("the store does not say that it is full")
		}
	}

	k.crossing = true
	if err := put(t.Context(), s, "key", "of a commit that is applied"); err != nil {
		t.Errorf("what etcd has applied: %v", err)
	}
	if err := put(t.Context(), s, "key", "of the next, which is not"); !errors.Is(err, job.ErrFull) {
		t.Errorf("what etcd has not applied, right after what it has: %v, want %v", err, job.ErrFull)
	}

	k.deaf = true
	if err := put(t.Context(), s, "key", "value"); err == nil || errors.Is(err, job.ErrFull) || errors.Is(err, store.ErrFenced) {
		t.Errorf("if nobody can tell: %v, want that its fate is unknown", err)
	}
}
