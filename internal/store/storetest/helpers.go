package storetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/store"
)

// put is a pair to write.
type put struct{ key, value string }

func commit(t *testing.T, s store.Store, puts ...put) {
	t.Helper()
	var b store.Batch
	for _, p := range puts {
		b.Put([]byte(p.key), []byte(p.value))
	}
	mustCommit(t, s, &b)
}

func mustCommit(t *testing.T, s store.Store, b *store.Batch) {
	t.Helper()
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatalf("Commit(%d writes): %v", len(b.Writes), err)
	}
}

func get(t *testing.T, s store.Store, keys ...string) [][]byte {
	t.Helper()
	var ks [][]byte
	for _, k := range keys {
		ks = append(ks, []byte(k))
	}
	got, err := s.Get(t.Context(), ks...)
	if err != nil {
		t.Fatalf("Get(%q): %v", keys, err)
	}
	return got
}

// scan collects the pairs of a scan.
func scan(ctx context.Context, s store.Store, r store.Range, limit int) ([]put, error) {
	var got []put
	for p, err := range s.Scan(ctx, r, limit) {
		if err != nil {
			return got, err
		}
		got = append(got, put{string(p.Key), string(p.Value)})
	}
	return got, nil
}

// wantKeys fails the test unless a scan of r yields the keys want.
func wantKeys(t *testing.T, s store.Store, r store.Range, limit int, want ...string) {
	t.Helper()
	pairs, err := scan(t.Context(), s, r, limit)
	if err != nil {
		t.Fatalf("Scan(%q, %d): %v", r, limit, err)
	}
	var got []string
	for _, p := range pairs {
		got = append(got, p.key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("Scan(%q, %d) = %q, want %q", r, limit, got, want)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmp.AllowUnexported(put{})); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// awkward returns ordered keys that a careless encoding or comparison would reorder.
func awkward() []string {
	keys := []string{
		"\x00", "\x00\x00", "\x00\x00\x01", "\x00\xff", "\x01", "\x01\x00", "A", "a", "a\x00", "a\x00b", "a\x01", "a/", "a/b",
		"aa", "a\xff", "a\xff\x00", "a\xff\xff", "b", "é", "世", "\xfe\xff", "\xff", "\xff\x00", "\xff\xff", "\xff\xff\x00",
	}
	slices.Sort(keys)
	return keys
}

// fill writes the keys, the last one first.
func fill(t *testing.T, s store.Store, keys ...string) {
	t.Helper()
	var b store.Batch
	most, _ := s.MaxBatch()
	for _, k := range slices.Backward(keys) {
		if len(b.Writes) == most {
			mustCommit(t, s, &b)
			b.Reset()
		}
		b.Put([]byte(k), []byte("value of "+k))
	}
	mustCommit(t, s, &b)
}

// numbered returns n keys in order.
func numbered(n int) []string {
	var keys []string
	for i := range n {
		keys = append(keys, fmt.Sprintf("key/%06d", i))
	}
	return keys
}

func large(seed byte, n int) []byte { return bytes.Repeat([]byte{seed, seed + 1, 0}, n/3) }
