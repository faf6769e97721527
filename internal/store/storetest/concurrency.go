package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"carillon/internal/store"
)

// during repeats n readers while work runs, each at least once.
func during(t *testing.T, n int, read func() error, work func()) {
	t.Helper()
	var done atomic.Bool
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for {
				last := done.Load()
				if err := read(); err != nil {
					t.Error(err)
					return
				}
				if last {
					return
				}
			}
		})
	}
	defer wg.Wait()
	defer done.Store(true)
	work()
}

func scanWhileOthersWrite(t *testing.T, s store.Store) {
	keep := numbered(200)
	fill(t, s, keep...)
	during(t, 3, func() error {
		var got []string
		prev := ""
		for p, err := range s.Scan(t.Context(), store.Range{From: []byte("key/"), To: []byte("key0")}, 0) {
			if err != nil {
				return err
			}
			k := string(p.Key)
			if k <= prev {
				return fmt.Errorf("a scan yields %q after %q", k, prev)
			}
			prev = k
			if len(k) == len(keep[0]) {
				got = append(got, k)
			}
		}
		if !slices.Equal(got, keep) {
			return fmt.Errorf("a scan yields %d of the %d keys that no writer changes", len(got), len(keep))
		}
		return nil
	}, func() {
		for i := range 60 {
			var b store.Batch
			for j := range 20 {
				k := fmt.Appendf(nil, "%s/%d", keep[i*j%len(keep)], j) // next to the others
				if i%2 == 0 {
					b.Put(k, k)
				} else {
					b.Delete(k)
				}
			}
			mustCommit(t, s, &b)
		}
	})
}

// concurrentUse has writers with their own keys, which must read their own writes.
func concurrentUse(t *testing.T, s store.Store) {
	const writers, rounds = 8, 25
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			prefix := fmt.Sprintf("writer/%d/", w)
			var b store.Batch
			for i := range rounds {
				b.Reset()
				b.Put(fmt.Appendf(nil, "%s%03d", prefix, i), fmt.Append(nil, i))
				b.Put([]byte(prefix+"last"), fmt.Append(nil, i))
				if err := s.Commit(t.Context(), &b); err != nil {
					t.Error(err)
					return
				}
				v, err := s.Get(t.Context(), []byte(prefix+"last"))
				if err != nil || string(v[0]) != fmt.Sprint(i) {
					t.Errorf("writer %d reads back %q, %v after its commit; want %d", w, v, err, i)
					return
				}
				own, err := scan(t.Context(), s, store.Prefix([]byte(prefix)), 0)
				if err != nil || len(own) != i+2 {
					t.Errorf("writer %d finds %d of its keys, %v; want %d", w, len(own), err, i+2)
					return
				}
			}
		})
	}
	wg.Wait()
	all, err := scan(t.Context(), s, store.Range{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if want := writers * (rounds + 1); len(all) != want && !t.Failed() {
		t.Errorf("%d keys in the end, want %d", len(all), want)
	}
}

func cancelledContext(t *testing.T, s store.Store) {
	commit(t, s, put{"a", "1"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Get(ctx, []byte("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("Get with a cancelled context: %v, want %v", err, context.Canceled)
	}
	if got, err := scan(ctx, s, store.Range{}, 0); !errors.Is(err, context.Canceled) || len(got) != 0 {
		t.Errorf("Scan with a cancelled context: %v, %v; want nothing and %v", got, err, context.Canceled)
	}
	var b store.Batch
	b.Put([]byte("b"), nil)
	if err := s.Commit(ctx, &b); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit with a cancelled context: %v, want %v", err, context.Canceled)
	}
	commit(t, s, put{"c", "1"}) // the store still works
	equal(t, "Get afterwards", get(t, s, "a", "c"), [][]byte{[]byte("1"), []byte("1")})
}

func cancelledMidway(t *testing.T, s store.Store) {
	keys := numbered(5000)
	for part := range slices.Chunk(keys, 100) {
		fill(t, s, part...)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pairs, failures := 0, 0
	for p, err := range s.Scan(ctx, store.Range{}, 0) {
		if failures > 0 {
			t.Fatalf("after its error Scan yields %q, %v", p.Key, err)
		}
		if err != nil {
			if failures++; !errors.Is(err, context.Canceled) {
				t.Errorf("Scan: %v, want %v", err, context.Canceled)
			}
			continue
		}
		if pairs++; pairs == 10 {
			cancel()
		}
	}
	if failures != 1 || pairs >= len(keys) {
		t.Errorf("a scan cancelled after 10 pairs yields %d pairs and %d errors; want 1 error before the end", pairs, failures)
	}
}
