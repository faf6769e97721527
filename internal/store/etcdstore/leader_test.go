package etcdstore_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"carillon/internal/store/etcdmember/etcdtest"
	"carillon/internal/store/etcdstore"
)

// A successor is a member that has another leader, as it seems, who knows nothing of what the one before was asked.
type successor struct {
	etcdserverpb.KVServer
	lost atomic.Bool   // what is to be written
	term atomic.Uint64 // that is added to its own
}

func (s *successor) Range(ctx context.Context, r *etcdserverpb.RangeRequest) (*etcdserverpb.RangeResponse, error) {
	resp, err := s.KVServer.Range(ctx, r)
	if err == nil {
		resp.Header.RaftTerm += s.term.Load()
	}
	return resp, err
}

func (s *successor) Txn(ctx context.Context, r *etcdserverpb.TxnRequest) (*etcdserverpb.TxnResponse, error) {
	if s.lost.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	resp, err := s.KVServer.Txn(ctx, r)
	if err == nil {
		resp.Header.RaftTerm += s.term.Load()
	}
	return resp, err
}

func TestACommitDoesNotWaitForALeaderThatIsOneNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		etcd := &successor{KVServer: etcdtest.NewMemory(t)}
		s := open(t, etcdstore.Config{Endpoints: []string{"http://nobody.invalid"}, KV: etcd, Timeout: time.Second})
		if err := put(t.Context(), s, "key", "1"); err != nil {
			t.Fatal(err)
		}

		etcd.lost.Store(true)
		if err := put(t.Context(), s, "key", "2"); err == nil || !strings.Contains(err.Error(), "no answer within 1s") {
			t.Errorf("a commit that is lost under the same leader: %v, want that there was no answer", err)
		}
		etcd.term.Store(1)
		begin := time.Now()
		err := put(t.Context(), s, "key", "3")
		if took := time.Since(begin); err == nil || !strings.Contains(err.Error(), "etcd has another leader") || took != 30*time.Millisecond {
			t.Errorf("a commit that is lost with its leader: %v after %v, want soon that there is another leader", err, took)
		}
		etcd.lost.Store(false)
		if err := put(t.Context(), s, "key", "4"); err != nil {
			t.Errorf("the next commit: %v", err)
		}
	})
}
