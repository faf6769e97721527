package etcdstore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"carillon/internal/store"
	"carillon/internal/store/etcdmember"
	"carillon/internal/store/etcdmember/etcdtest"
	"carillon/internal/store/etcdstore"
	"carillon/internal/store/storetest"
)

func TestItIsAStore(t *testing.T) {
	etcd := run(t, etcdtest.Config(t))
	n := 0
	storetest.Run(t, func(t *testing.T) store.Store {
		n++
		return open(t, etcdstore.Config{Endpoints: etcd, Prefix: fmt.Sprintf("%d/", n)})
	})
}

func TestItIsAStoreOnAnEtcdInMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return openInMemory(t) })
}

func TestItIsAStoreOnAnEtcdInMemoryToWhoReadsWhatItAloneWrites(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return openInMemory(t).Own() })
}

// openInMemory returns a store on an etcd in memory, which it reaches as a member in the same process.
func openInMemory(t *testing.T) *etcdstore.Store {
	t.Helper()
	return open(t, etcdstore.Config{Endpoints: []string{"http://nobody.invalid"}, KV: etcdtest.NewMemory(t)})
}

func TestItIsAStoreToWhoReadsWhatItAloneWrites(t *testing.T) {
	etcd := run(t, etcdtest.Config(t))
	n := 0
	storetest.Run(t, func(t *testing.T) store.Store {
		n++
		return open(t, etcdstore.Config{Endpoints: etcd, Prefix: fmt.Sprintf("%d/", n)}).Own()
	})
}

func TestAMomentIsSeenAsItWas(t *testing.T) {
	s := openInMemory(t)
	put := func(n int, value string) {
		t.Helper()
		var b store.Batch
		b.Put(fmt.Append(nil, n), []byte(value))
		if err := s.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 600 { // more than a page
		put(n, "before")
	}
	then, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	put(1000, "after")
	seen := 0
	for p, err := range then.Scan(t.Context(), store.Range{}, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 1 {
			put(599, "after")
		}
		if string(p.Value) != "before" {
			t.Errorf("%s is %q", p.Key, p.Value)
		}
	}
	if seen != 600 {
		t.Errorf("saw %d pairs, want 600", seen)
	}
}

func TestABatchCarriesWhatTheOperatorAllows(t *testing.T) {
	cfg := etcdtest.Config(t)
	cfg.MaxTxnOps, cfg.MaxRequestBytes = 2000, 5<<20
	s := open(t, etcdstore.Config{Endpoints: run(t, cfg), MaxTxnOps: cfg.MaxTxnOps, MaxRequestBytes: cfg.MaxRequestBytes})
	writes, bytes := s.MaxBatch()
	var b store.Batch
	for i := range writes {
		k := fmt.Appendf(nil, "%08d", i)
		b.Put(k, make([]byte, bytes/writes-len(k)))
	}
	if err := s.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	b.Put([]byte("one more"), nil)
	if err := s.Commit(t.Context(), &b); err == nil {
		t.Errorf("a batch of %d writes was taken, want %d at most", len(b.Writes), writes)
	}
}

func TestStoresOfTwoPrefixesDoNotMeet(t *testing.T) {
	etcd := run(t, etcdtest.Config(t))
	a, b := open(t, etcdstore.Config{Endpoints: etcd, Prefix: "a/"}), open(t, etcdstore.Config{Endpoints: etcd, Prefix: "a/d/"})
	if err := errors.Join(put(t.Context(), a, "key", "of a"), put(t.Context(), b, "key", "of b")); err != nil {
		t.Fatal(err)
	}
	if got := value(t, a); got != "of a" {
		t.Errorf("a has %q", got)
	}
	n := 0
	for p, err := range b.Scan(t.Context(), store.Range{}, 0) {
		if n++; err != nil || string(p.Key) != "key" || string(p.Value) != "of b" {
			t.Errorf("b has %q = %q, %v", p.Key, p.Value, err)
		}
	}
	if n != 1 {
		t.Errorf("b has %d keys, want 1", n)
	}
}

func run(t *testing.T, cfg etcdmember.Config) []string {
	t.Helper()
	endpoints, _ := etcdtest.Run(t, cfg)
	return endpoints
}

// open returns a store that is closed when the test ends.
func open(t *testing.T, cfg etcdstore.Config) *etcdstore.Store {
	t.Helper()
	s, err := etcdstore.Open(cfg, logTo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func logTo(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func put(ctx context.Context, s store.Store, keyValues ...string) error {
	var b store.Batch
	for i := 0; i < len(keyValues); i += 2 {
		b.Put([]byte(keyValues[i]), []byte(keyValues[i+1]))
	}
	return s.Commit(ctx, &b)
}

// value returns what s has at "key".
func value(t *testing.T, s store.Store) string {
	t.Helper()
	got, err := s.Get(t.Context(), []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	return string(got[0])
}
