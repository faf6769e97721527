package etcdstore_test

import (
	"errors"
	"fmt"
	"testing"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"carillon/internal/store"
	"carillon/internal/store/etcdmember/etcdtest"
	"carillon/internal/store/etcdstore"
)

func TestFormerOwnerIsFenced(t *testing.T) {
	onEach(t, 0, 0, writerWithoutItsClaimIsFenced)
}

func writerWithoutItsClaimIsFenced(t *testing.T, open opener) {
	s := open(etcdstore.Config{})
	claim := func() store.Fence {
		resp, err := s.Client().Put(t.Context(), "claim/7", "me")
		if err != nil {
			t.Fatal(err)
		}
		return store.Fence{Key: "claim/7", Revision: resp.Header.Revision}
	}
	commit := func(f store.Fence, v string) error {
		b := store.Batch{Fences: []store.Fence{f}}
		b.Put([]byte("key"), []byte(v))
		return s.Commit(t.Context(), &b)
	}
	first := claim()
	if err := commit(first, "1"); err != nil {
		t.Fatalf("with its claim: %v", err)
	}
	second := claim()
	if err := commit(first, "2"); !errors.Is(err, store.ErrFenced) {
		t.Errorf("after the claim was renewed: %v, want %v", err, store.ErrFenced)
	}
	if err := commit(second, "3"); err != nil {
		t.Errorf("with the renewed claim: %v", err)
	}
	if _, err := s.Client().Delete(t.Context(), second.Key); err != nil {
		t.Fatal(err)
	}
	if err := commit(second, "4"); !errors.Is(err, store.ErrFenced) {
		t.Errorf("after the claim has gone: %v, want %v", err, store.ErrFenced)
	}
	if got := value(t, s); got != "3" {
		t.Errorf("the store has %q, want what was written last with a claim", got)
	}
}

func TestEachFenceIsCompared(t *testing.T) {
	etcd := etcdtest.NewMemory(t)
	s := open(t, etcdstore.Config{Endpoints: []string{"http://nobody.invalid"}, KV: etcd})
	claim := func(key string) store.Fence {
		resp, err := etcd.Put(t.Context(), &etcdserverpb.PutRequest{Key: []byte(key)})
		if err != nil {
			t.Fatal(err)
		}
		return store.Fence{Key: key, Revision: resp.GetHeader().GetRevision()}
	}
	first, second := claim("claim/1"), claim("claim/2")
	lost := store.Fence{Key: "claim/3", Revision: claim("claim/3").Revision - 1}
	for _, fences := range [][]store.Fence{{lost, first, second}, {first, lost, second}, {first, second, lost}} {
		b := store.Batch{Fences: fences}
		b.Put([]byte("key"), nil)
		if err := s.Commit(t.Context(), &b); !errors.Is(err, store.ErrFenced) {
			t.Errorf("Commit with the fences %v, one of which is void = %v, want %v", fences, err, store.ErrFenced)
		}
	}
	b := store.Batch{Fences: []store.Fence{first, second}}
	b.Put([]byte("key"), []byte("value"))
	if err := s.Commit(t.Context(), &b); err != nil {
		t.Errorf("Commit with its fences = %v", err)
	}
	if got := value(t, s); got != "value" {
		t.Errorf("the store has %q", got)
	}
}

func TestFenceOfRevisionZeroAdmitsFirstWriter(t *testing.T) {
	onEach(t, 0, 0, func(t *testing.T, open opener) {
		s := open(etcdstore.Config{})
		b := store.Batch{Fences: []store.Fence{{Key: "carillon/d/format"}}}
		b.Put([]byte("format"), []byte("1"))
		if err := s.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(t.Context(), &b); !errors.Is(err, store.ErrFenced) {
			t.Errorf("a second time: %v, want %v", err, store.ErrFenced)
		}
	})
}

func TestLargestBatchFitsAllFences(t *testing.T) {
	onEach(t, 0, 0, largestBatchHasRoomForFences)
}

func largestBatchHasRoomForFences(t *testing.T, open opener) {
	s := open(etcdstore.Config{})
	writes, bytes := s.MaxBatch()
	var b store.Batch
	for p := range 64 {
		claim := fmt.Sprintf("carillon/claim/%04d", p)
		resp, err := s.Client().Put(t.Context(), claim, "a node with a name of its own")
		if err != nil {
			t.Fatal(err)
		}
		b.Fences = append(b.Fences, store.Fence{Key: claim, Revision: resp.Header.Revision})
	}
	for i := range writes {
		k := []byte{byte(i >> 8), byte(i)}
		b.Put(k, make([]byte, bytes/writes-len(k)))
	}
	if err := s.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	all, err := s.Client().Get(t.Context(), "carillon/d/", clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil || all.Count != int64(writes) {
		t.Errorf("etcd has %d records, %v; want %d", all.Count, err, writes)
	}
}
