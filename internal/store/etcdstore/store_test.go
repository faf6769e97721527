package etcdstore_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"carillon/internal/store"
	"carillon/internal/store/etcdmember"
	"carillon/internal/store/etcdmember/etcdtest"
	"carillon/internal/store/etcdstore"
	"carillon/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	etcd := run(t, etcdtest.Config(t))
	n := 0
	storetest.Run(t, func(t *testing.T) store.Store {
		n++
		return open(t, etcdstore.Config{Endpoints: etcd, Prefix: fmt.Sprintf("%d/", n)})
	})
}

func TestConformanceInMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return openInMemory(t) })
}

func TestConformanceOfLocalReadsInMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return openInMemory(t).LocalReads() })
}

// openInMemory returns a store on an etcd in memory, which it reaches as a member in the same process.
func openInMemory(t *testing.T) *etcdstore.Store {
	t.Helper()
	return open(t, etcdstore.Config{Endpoints: []string{"http://nobody.invalid"}, KV: etcdtest.NewMemory(t)})
}

func TestConformanceOfLocalReads(t *testing.T) {
	etcd := run(t, etcdtest.Config(t))
	n := 0
	storetest.Run(t, func(t *testing.T) store.Store {
		n++
		return open(t, etcdstore.Config{Endpoints: etcd, Prefix: fmt.Sprintf("%d/", n)}).LocalReads()
	})
}

func TestSnapshotIsUnchangedByWrites(t *testing.T) {
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
	then, err := s.Snapshot(t.Context())
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

func TestBatchLimitComesFromConfig(t *testing.T) {
	const ops, size = 2000, 5 << 20
	onEach(t, ops, size, func(t *testing.T, open opener) {
		holdsMaxBatch(t, open(etcdstore.Config{MaxTxnOps: ops, MaxRequestBytes: size}))
	})
}

func TestBatchLimitDefaultsToEtcds(t *testing.T) {
	onEach(t, 0, 0, func(t *testing.T, open opener) { holdsMaxBatch(t, open(etcdstore.Config{})) })
}

// holdsMaxBatch has s commit as much as it says that it does, by number and by bytes, and a little
// more, which it refuses.
func holdsMaxBatch(t *testing.T, s *etcdstore.Store) {
	t.Helper()
	writes, bytes := s.MaxBatch()
	var b store.Batch
	for i := range writes {
		k := fmt.Appendf(nil, "%08d", i)
		b.Put(k, make([]byte, bytes/writes-len(k)))
	}
	if err := s.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	b.Writes[0].Value = append(b.Writes[0].Value, make([]byte, bytes%writes+1)...)
	if err := s.Commit(t.Context(), &b); err == nil || !strings.Contains(err.Error(), "split it") {
		t.Errorf("a batch of a byte more than %d: %v, want that it is too large", bytes, err)
	}
	var many store.Batch
	for i := range writes + 1 {
		many.Put(fmt.Append(nil, i), nil)
	}
	if err := s.Commit(t.Context(), &many); err == nil || !strings.Contains(err.Error(), "split it") {
		t.Errorf("a batch of %d writes: %v, want that %d are the most", len(many.Writes), err, writes)
	}
}

func TestPrefixesAreIsolated(t *testing.T) {
	onEach(t, 0, 0, twoPrefixesDoNotMeet)
}

func twoPrefixesDoNotMeet(t *testing.T, open opener) {
	a, b := open(etcdstore.Config{Prefix: "a/"}), open(etcdstore.Config{Prefix: "a/d/"})
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

// An opener returns a store on an etcd, wherever that is, which is closed when the test ends.
type opener func(etcdstore.Config) *etcdstore.Store

// onEach runs the test with an etcd in memory, in fake time, and with a real one where there may be
// one. They allow so many operations and bytes of a transaction; 0 is what etcd allows by default.
func onEach(t *testing.T, ops, bytes int, test func(*testing.T, opener)) {
	t.Helper()
	t.Run("in memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := etcdtest.NewMemory(t)
			m.MaxTxnOps, m.MaxRequestBytes = ops, bytes
			test(t, func(cfg etcdstore.Config) *etcdstore.Store { return newStore(t, m, cfg) })
		})
	})
	t.Run("real", func(t *testing.T) {
		cfg := etcdtest.Config(t)
		cfg.MaxTxnOps, cfg.MaxRequestBytes = cmp.Or(ops, cfg.MaxTxnOps), cmp.Or(bytes, cfg.MaxRequestBytes)
		etcd := run(t, cfg)
		test(t, func(cfg etcdstore.Config) *etcdstore.Store {
			cfg.Endpoints = etcd
			return open(t, cfg)
		})
	})
}

// newStore returns the store of cfg, with defaults set, on a client that the store closes.
func newStore(t *testing.T, m *etcdtest.Memory, cfg etcdstore.Config) *etcdstore.Store {
	t.Helper()
	s := etcdstore.NewStore(m.Client(t, "store"), cfg, logTo(t))
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
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
