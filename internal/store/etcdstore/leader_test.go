package etcdstore_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"carillon/internal/store"
	"carillon/internal/store/etcdmember/etcdtest"
	"carillon/internal/store/etcdstore"
)

// A successor is a member that has another leader, as it seems, who knows nothing of what the one before was asked.
type successor struct {
	etcdserverpb.KVServer
	lost atomic.Bool   // what is to be written
	term atomic.Uint64 // that is added to its own
	dumb atomic.Bool   // nobody has heard of the successor but the member that is asked
	torn atomic.Bool   // it cannot be asked at all
}

func (s *successor) Range(ctx context.Context, r *etcdserverpb.RangeRequest) (*etcdserverpb.RangeResponse, error) {
	if s.torn.Load() {
		return nil, errWire
	}
	resp, err := s.KVServer.Range(ctx, r)
	if err == nil && (r.GetSerializable() || !s.dumb.Load()) {
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

func TestCommitLeavesDeposedLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		etcd := &successor{KVServer: etcdtest.NewMemory(t)}
		s := open(t, etcdstore.Config{Endpoints: []string{"http://nobody.invalid"}, KV: etcd, Timeout: time.Second})
		if err := put(t.Context(), s, "key", "1"); err != nil {
			t.Fatal(err)
		}

		etcd.lost.Store(true)
		if err := put(t.Context(), s, "key", "2"); err == nil || !strings.Contains(err.Error(), "did not respond within 1s") {
			t.Errorf("a commit that is lost under the same leader: %v, want that there was no answer", err)
		}
		etcd.term.Store(1)
		etcd.dumb.Store(true)
		if err := put(t.Context(), s, "key", "2"); err == nil || !strings.Contains(err.Error(), "did not respond within 1s") {
			t.Errorf("a commit that is lost while another leader is elected, and not at work: %v, want that there was no answer", err)
		}
		etcd.dumb.Store(false)
		etcd.torn.Store(true)
		if err := put(t.Context(), s, "key", "2"); err == nil || !strings.Contains(err.Error(), "did not respond within 1s") {
			t.Errorf("a commit that is lost while nobody can tell whether there is another leader: %v, want that there was no answer", err)
		}
		etcd.torn.Store(false)
		begin := time.Now()
		err := put(t.Context(), s, "key", "3")
		if took := time.Since(begin); err == nil || !strings.Contains(err.Error(), "etcd has a new leader") || took != 30*time.Millisecond {
			t.Errorf("a commit that is lost with its leader: %v after %v, want soon that there is another leader", err, took)
		}
		etcd.lost.Store(false)
		if err := put(t.Context(), s, "key", "4"); err != nil {
			t.Errorf("the next commit: %v", err)
		}
	})
}

func TestCommitUsesLeaderOfReads(t *testing.T) {
	for name, read := range map[string]func(ctx context.Context, s store.Store) error{
		"Get": func(ctx context.Context, s store.Store) error { _, err := s.Get(ctx, []byte("key")); return err },
		"Scan": func(ctx context.Context, s store.Store) error {
			for _, err := range s.Scan(ctx, store.Range{}, 0) {
				return err
			}
			return nil
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			etcd := &successor{KVServer: etcdtest.NewMemory(t)}
			s := open(t, etcdstore.Config{Endpoints: []string{"http://nobody.invalid"}, KV: etcd, Timeout: time.Second})
			if err := put(t.Context(), s, "key", "1"); err != nil {
				t.Fatal(err)
			}
			etcd.term.Store(1)
			if err := read(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			etcd.lost.Store(true)
			if err := put(t.Context(), s, "key", "2"); err == nil || !strings.Contains(err.Error(), "did not respond within 1s") {
				t.Errorf("after a %s, a commit that is lost under the same leader: %v, want that there was no answer", name, err)
			}
		})
	}
}

func TestSlowFirstCommitIsNotLost(t *testing.T) {
	inMemory(t, etcdstore.Config{}, func(t *testing.T, m *etcdtest.Memory, s *etcdstore.Store) {
		m.Before = func(_ context.Context, request any) error {
			if _, ok := request.(*etcdserverpb.TxnRequest); ok {
				time.Sleep(time.Second)
			}
			return nil
		}
		for range 2 {
			if err := put(t.Context(), s, "key", "value"); err != nil {
				t.Errorf("a commit that takes a second = %v", err)
			}
		}
	})
}

// A late etcd answers a commit when that is waited for no longer, as it says.
type late struct {
	etcdserverpb.KVServer

	err error // of the answer
}

func (l *late) Txn(ctx context.Context, r *etcdserverpb.TxnRequest) (*etcdserverpb.TxnResponse, error) {
	<-ctx.Done()
	if l.err != nil {
		return nil, l.err
	}
	return l.KVServer.Txn(context.WithoutCancel(ctx), r)
}

func TestLateAnswerOfLostLeaderCounts(t *testing.T) {
	for _, answer := range []error{nil, errWire} {
		synctest.Test(t, func(t *testing.T) {
			etcd := &successor{KVServer: &late{etcdtest.NewMemory(t), answer}}
			s := open(t, etcdstore.Config{Endpoints: []string{"http://nobody.invalid"}, KV: etcd})
			for _, err := range s.Scan(t.Context(), store.Range{}, 0) { // hears of the leader
				t.Fatal(err)
			}
			etcd.term.Store(1)
			err := put(t.Context(), s, "key", "value")
			if lost := err != nil && strings.Contains(err.Error(), "etcd has a new leader"); lost != (answer != nil) {
				t.Errorf("a commit whose answer comes when it is given up, and is the error %v: %v", answer, err)
			}
		})
	}
}
