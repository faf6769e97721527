package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/store"
)

func TestPrefixRange(t *testing.T) {
	for _, c := range []struct {
		prefix, to string
		end        bool // of the store
	}{
		{prefix: "a", to: "b"},
		{prefix: "ab", to: "ac"},
		{prefix: "a\xff", to: "b"},
		{prefix: "a\xff\xff", to: "b"},
		{prefix: "a\xfe", to: "a\xff"},
		{prefix: "\x00", to: "\x01"},
		{prefix: "", end: true},
		{prefix: "\xff", end: true},
		{prefix: "\xff\xff", end: true},
	} {
		want := store.Range{From: []byte(c.prefix)}
		if !c.end {
			want.To = []byte(c.to)
		}
		prefix := []byte(c.prefix)
		got := store.Prefix(prefix)
		if diff := cmp.Diff(want, got); diff != "" || string(prefix) != c.prefix {
			t.Errorf("Prefix(%q) (-want +got):\n%s", c.prefix, diff)
		}
	}
}

func TestBatchReset(t *testing.T) {
	b := store.Batch{Fences: []store.Fence{{Key: "claim", Revision: 3}}}
	b.Put([]byte("a"), []byte("1"))
	b.Delete([]byte("b"))
	want := []store.Write{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("b"), Remove: true}}
	if diff := cmp.Diff(want, b.Writes); diff != "" {
		t.Errorf("the writes (-want +got):\n%s", diff)
	}
	if b.Reset(); len(b.Writes) > 0 || len(b.Fences) > 0 {
		t.Errorf("after a reset it holds %+v", b)
	}
}
