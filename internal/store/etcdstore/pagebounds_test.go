package etcdstore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// scanned has a pacer read keys, which are in order, in pages of that size, and returns how many keys etcd would have
// counted, and in how many pages.
func scanned(t *testing.T, keys []string, size int) (counted, pages int) {
	t.Helper()
	const to = "records0"
	var p pageBounds
	from, end, seen := "records/", to, 0
	for ; from < to; pages++ {
		begin, _ := slices.BinarySearch(keys, from)
		stop, _ := slices.BinarySearch(keys, end)
		counted += stop - begin
		page := keys[begin:min(stop, begin+size)]
		more := stop > begin+size
		if begin != seen {
			t.Fatalf("a page begins with key %d, want %d", begin, seen)
		}
		seen += len(page)
		if len(page) > 0 {
			var kvs []*mvccpb.KeyValue
			for _, k := range page {
				kvs = append(kvs, &mvccpb.KeyValue{Key: []byte(k)})
			}
			p.learn(from, kvs, size)
		}
		if from = end; more {
			from = page[len(page)-1] + "\x00"
		}
		end = p.end(from, to)
	}
	if seen != len(keys) {
		t.Fatalf("%d keys were seen, want %d", seen, len(keys))
	}
	return counted, pages
}

func TestFullScanCountsKeysFewTimes(t *testing.T) {
	const n, size = 100_000, 1000
	r := rand.New(rand.NewPCG(1, 2))
	for name, key := range map[string]func(i int) string{
		"numbers":            func(i int) string { return fmt.Sprint("records/ns/app/", i) },
		"numbers of a width": func(i int) string { return fmt.Sprintf("records/ns/app/%012d", i) },
		"random":             func(int) string { return fmt.Sprintf("records/ns/app/%016x", r.Uint64()) },
		"many apps":          func(i int) string { return fmt.Sprintf("records/ns/app%d/%d", i%700, i) },
		"three apps": func(i int) string {
			return fmt.Sprintf("records/%s/%d", []string{"a", "a-long-name-of-an-app", "z"}[i%3], i)
		},
		"lengths": func(i int) string { return "records/" + fmt.Sprintf("%05d", i)[:1+i%5] + fmt.Sprint(i) },
	} {
		keys := make([]string, n)
		for i := range keys {
			keys[i] = key(i)
		}
		slices.Sort(keys)
		keys = slices.Compact(keys)
		counted, pages := scanned(t, keys, size)
		t.Logf("%s: %d keys were counted %.1f times in %d pages", name, len(keys), float64(counted)/float64(len(keys)), pages)
		if counted > 12*len(keys) || pages > 4*len(keys)/size {
			t.Errorf("%s: %d keys were counted for %d, in %d pages", name, counted, len(keys), pages)
		}
	}
}

func TestScanSeesEveryKey(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		var keys []string
		for range r.IntN(60) {
			k := []byte("records/")
			for range 1 + r.IntN(12) {
				k = append(k, []byte{0, 0, 1, 0x7f, 0xff, 0xff, byte(r.Uint32())}[r.IntN(7)])
			}
			keys = append(keys, string(k))
		}
		slices.Sort(keys)
		scanned(t, slices.Compact(keys), 1+r.IntN(9))
	}
}

func TestSecondPageIsBounded(t *testing.T) {
	var kvs []*mvccpb.KeyValue
	key := func(i int) string { return fmt.Sprintf("records/zzz/%06d", i) }
	for i := range 1000 {
		kvs = append(kvs, &mvccpb.KeyValue{Key: []byte(key(i))})
	}
	var p pageBounds
	p.learn("records/", kvs, 1000) // there is nothing before the first
	if end := p.end(key(999)+"\x00", "records0"); end > key(10_000) {
		t.Errorf("after a thousand keys up to %s, the next thousand are looked for before %q", key(999), end)
	}
}
