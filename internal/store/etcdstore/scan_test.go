package etcdstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"carillon/internal/store"
	"carillon/internal/store/etcdmember/etcdtest"
	"carillon/internal/store/etcdstore"
)

// A scribe is an etcd that calls note with each request for a range of keys.
type scribe struct {
	*etcdtest.Memory
	note func(*etcdserverpb.RangeRequest)
}

func (s scribe) Range(ctx context.Context, r *etcdserverpb.RangeRequest) (*etcdserverpb.RangeResponse, error) {
	s.note(r)
	return s.Memory.Range(ctx, r)
}

func TestScanPagesAreBounded(t *testing.T) {
	const n, size = 4000, 32 << 10
	m := etcdtest.NewMemory(t)
	value := make([]byte, size)
	var keys []string
	for i := range n {
		keys = append(keys, fmt.Sprintf("carillon/d/%08d", i))
		if _, err := m.Put(t.Context(), &etcdserverpb.PutRequest{Key: []byte(keys[i]), Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	var limits []int64
	counted := 0
	s := open(t, etcdstore.Config{Endpoints: []string{"http://nobody.invalid"}, KV: scribe{m, func(r *etcdserverpb.RangeRequest) {
		limits = append(limits, r.GetLimit())
		from, _ := slices.BinarySearch(keys, string(r.GetKey()))
		to, _ := slices.BinarySearch(keys, string(r.GetRangeEnd()))
		counted += max(0, to-from)
	}}})
	seen := 0
	for p, err := range s.Scan(t.Context(), store.Range{}, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("%08d", seen); string(p.Key) != want {
			t.Fatalf("the scan yields %q in the place of %q", p.Key, want)
		}
		seen++
	}
	if seen != n {
		t.Errorf("the scan yields %d pairs, want %d", seen, n)
	}
	if limits[0] != 256 {
		t.Errorf("the first page has up to %d records, want 256", limits[0])
	}
	for i, limit := range limits[1:] {
		if limit < 1 || limit*size > 2<<20 {
			t.Errorf("page %d has up to %d records of %d bytes, want 2 MiB at most", i+1, limit, size)
		}
	}
	if len(limits) > 3*n/63 || counted > 12*n {
		t.Errorf("etcd counted %d keys in %d pages for a scan of %d", counted, len(limits), n)
	}
}

func TestScanOfSmallRecordsTakesFewPages(t *testing.T) {
	const n = 6000
	m := etcdtest.NewMemory(t)
	for i := range n {
		if _, err := m.Put(t.Context(), &etcdserverpb.PutRequest{Key: fmt.Appendf(nil, "carillon/d/%08d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	pages, seen := 0, 0
	s := open(t, etcdstore.Config{Endpoints: []string{"http://nobody.invalid"}, KV: scribe{m, func(*etcdserverpb.RangeRequest) { pages++ }}})
	for _, err := range s.Scan(t.Context(), store.Range{}, 0) {
		if err != nil {
			t.Fatal(err)
		}
		seen++
	}
	if seen != n || pages > 15 {
		t.Errorf("%d of %d records came in %d pages, want all in 15 at most", seen, n, pages)
	}
}

func TestLargestBatchFitsConnection(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(8 << 20))
	etcdserverpb.RegisterKVServer(server, etcdtest.NewMemory(t))
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	s := open(t, etcdstore.Config{Endpoints: []string{"http://" + l.Addr().String()}, Timeout: time.Minute})
	_, bytes := s.MaxBatch()
	if err := put(t.Context(), s, "key", string(make([]byte, bytes-len("key")))); err != nil {
		t.Error(err)
	}
}

func TestGetOfManyKeysIsConsistent(t *testing.T) {
	for _, compacted := range []bool{false, true} {
		t.Run(fmt.Sprint("compacted meanwhile ", compacted), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := etcdtest.NewMemory(t)
				keys, writes := make([][]byte, 300), []string{}
				for i := range keys {
					keys[i] = fmt.Appendf(nil, "%03d", i)
					writes = append(writes, string(keys[i]), "before")
				}
				reads := 0
				m.Before = func(ctx context.Context, request any) error {
					if r, ok := request.(*etcdserverpb.TxnRequest); !ok || r.GetSuccess()[0].GetRequestRange() == nil {
						return nil
					}
					if reads++; reads != 2 { // others write between the first part and the second
						return nil
					}
					for _, k := range []string{"000", "299"} {
						if _, err := m.Put(ctx, &etcdserverpb.PutRequest{Key: []byte("carillon/d/" + k), Value: []byte("after")}); err != nil {
							return err
						}
					}
					if !compacted {
						return nil
					}
					_, err := m.Compact(ctx, &etcdserverpb.CompactionRequest{Revision: 5})
					return err
				}
				s := newStore(t, m, etcdstore.Config{})
				for part := range slices.Chunk(writes, 200) {
					if err := put(t.Context(), s, part...); err != nil {
						t.Fatal(err)
					}
				}
				values, err := s.Get(t.Context(), keys...)
				if err != nil || len(values) != len(keys) {
					t.Fatalf("%d values, %v, want %d", len(values), err, len(keys))
				}
				want := "before"
				if compacted { // that moment is gone, and the next one is seen
					want = "after"
				}
				if first, last := string(values[0]), string(values[299]); first != want || last != want {
					t.Errorf("the first value is %q and the last %q, want both of one moment, %q", first, last, want)
				}
			})
		})
	}
}

func TestOnlyLocalReadsSkipTheLeader(t *testing.T) {
	for _, c := range []struct {
		endpoints []string
		own, want bool
	}{{[]string{"a"}, true, true}, {[]string{"a"}, false, false}, {[]string{"a", "b"}, true, false}} {
		synctest.Test(t, func(t *testing.T) {
			m := etcdtest.NewMemory(t)
			var got []bool
			m.Before = func(_ context.Context, request any) error {
				switch r := request.(type) {
				case *etcdserverpb.RangeRequest:
					got = append(got, r.GetSerializable())
				case *etcdserverpb.TxnRequest:
					got = append(got, r.GetSuccess()[0].GetRequestRange().GetSerializable())
				}
				return nil
			}
			s := newStore(t, m, etcdstore.Config{Endpoints: c.endpoints})
			reads := store.Store(s)
			if c.own {
				reads = s.LocalReads()
			}
			if _, err := reads.Get(t.Context(), []byte("key")); err != nil {
				t.Fatal(err)
			}
			for _, err := range reads.Scan(t.Context(), store.Range{}, 0) {
				t.Fatal(err)
			}
			if !slices.Equal(got, []bool{c.want, c.want}) {
				t.Errorf("with the endpoints %v, own: %v, reads are served by the member alone: %v, want %v", c.endpoints, c.own, got, c.want)
			}
		})
	}
}

// A torn etcd answers nothing, and says when it is asked no more that its wire is broken.
type torn struct {
	etcdserverpb.UnimplementedKVServer
}

var errWire = errors.New("the wire is broken")

func (*torn) Range(ctx context.Context, _ *etcdserverpb.RangeRequest) (*etcdserverpb.RangeResponse, error) {
	<-ctx.Done()
	return nil, errWire
}

func TestEtcdErrorIsNotATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, etcdstore.Config{Endpoints: []string{"http://nobody.invalid"}, KV: new(torn)})
		for _, err := range s.Scan(t.Context(), store.Range{}, 0) {
			if err == nil || !strings.Contains(err.Error(), errWire.Error()) {
				t.Errorf("a scan ends with %v, want %v", err, errWire)
			}
		}
	})
}

func TestGiveUpEndsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		m.Cut("store", true)
		s := newStore(t, m, etcdstore.Config{Timeout: time.Hour})
		t.Cleanup(func() { m.Cut("store", false) })
		began := time.Now()
		time.AfterFunc(time.Minute, s.GiveUp)
		_, err := s.Get(t.Context(), []byte("key"))
		if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "the node is stopping") || took != time.Minute {
			t.Errorf("a read that waits for etcd ends with %v after %v, want that the node stops, at once", err, took)
		}
		if err := put(t.Context(), s, "key", "value"); err == nil || !strings.Contains(err.Error(), "the node is stopping") || time.Since(began) != time.Minute {
			t.Errorf("a later commit ends with %v", err)
		}
	})
}

func TestCancelledCallSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		m.Before = func(context.Context, any) error {
			t.Error("etcd is asked")
			return nil
		}
		s := newStore(t, m, etcdstore.Config{})
		ctx, stop := context.WithCancel(t.Context())
		stop()
		_, got := s.Get(ctx, []byte("key"))
		var scanned error
		for _, err := range s.Scan(ctx, store.Range{}, 0) {
			scanned = err
		}
		for call, err := range map[string]error{"Get": got, "Scan": scanned, "Commit": put(ctx, s, "key", "value")} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s = %v, want %v", call, err, context.Canceled)
			}
		}
	})
}
