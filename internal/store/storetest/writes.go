package storetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"carillon/internal/store"
)

func commitOverwritesAndRemoves(t *testing.T, s store.Store) {
	commit(t, s, put{"a", "1"}, put{"b", "1"}, put{"c", "1"})
	var b store.Batch
	b.Put([]byte("a"), []byte("2"))
	b.Delete([]byte("b"))
	b.Delete([]byte("never was"))
	mustCommit(t, s, &b)
	equal(t, "Get", get(t, s, "a", "b", "c", "never was"), [][]byte{[]byte("2"), nil, []byte("1"), nil})
	wantKeys(t, s, store.Range{}, 0, "a", "c")
	commit(t, s, put{"b", "3"})
	equal(t, "Get of what was removed and put again", get(t, s, "b"), [][]byte{[]byte("3")})
	b = store.Batch{}
	for _, k := range []string{"a", "b", "c"} {
		b.Delete([]byte(k))
	}
	mustCommit(t, s, &b)
	wantKeys(t, s, store.Range{}, 0)
}

func commitOfNothing(t *testing.T, s store.Store) {
	mustCommit(t, s, &store.Batch{})
	var b store.Batch
	b.Delete([]byte("absent"))
	mustCommit(t, s, &b)
	wantKeys(t, s, store.Range{}, 0)
}

func commitKeepsNoSlice(t *testing.T, s store.Store) {
	k, v := []byte("key"), []byte("value")
	var b store.Batch
	b.Put(k, v)
	mustCommit(t, s, &b)
	copy(k, "new")
	copy(v, "later")
	equal(t, "Get after the caller's slices changed", get(t, s, "key", "new"), [][]byte{[]byte("value"), nil})
}

func commitCarriesMaxBatch(t *testing.T, s store.Store) {
	writes, size := s.MaxBatch()
	if writes < 100 || size < 1<<19 {
		t.Fatalf("MaxBatch() = %d writes, %d bytes; want 100 and 512 KiB at least", writes, size)
	}
	var b store.Batch
	keys := numbered(writes)
	each := size/writes - len(keys[0])
	for i, k := range keys {
		b.Put([]byte(k), large(byte(i), each))
	}
	mustCommit(t, s, &b)
	wantKeys(t, s, store.Range{}, 0, keys...)
	b.Reset()
	for _, k := range keys {
		b.Delete([]byte(k))
	}
	mustCommit(t, s, &b)
	wantKeys(t, s, store.Range{}, 0)
}

func commitCarriesALargeValue(t *testing.T, s store.Store) {
	const size = 2_000_000
	if _, most := s.MaxBatch(); most < size+100 {
		t.Skipf("MaxBatch allows %d bytes", most)
	}
	want := large(7, size)
	commit(t, s, put{"a", "before"}, put{"large", string(want)}, put{"z", "after"})
	got := get(t, s, "z", "large", "a")
	if !bytes.Equal(got[1], want) {
		t.Errorf("Get returns %d bytes that are not the %d bytes put", len(got[1]), len(want))
	}
	equal(t, "Get of its neighbours", [][]byte{got[0], got[2]}, [][]byte{[]byte("after"), []byte("before")})
	wantKeys(t, s, store.Range{}, 0, "a", "large", "z")
}

// commitIsAtomic has one writer that moves a token between keys, and readers that must find it at one
// key: Get reads all keys at one moment.
func commitIsAtomic(t *testing.T, s store.Store) {
	places := [][]byte{[]byte("place/0"), []byte("place/1"), []byte("place/2")}
	commit(t, s, put{string(places[0]), "token"})
	during(t, 4, func() error {
		values, err := s.Get(t.Context(), places...)
		if err != nil {
			return err
		}
		found := 0
		for _, v := range values {
			if v != nil {
				found++
			}
		}
		if found != 1 {
			return fmt.Errorf("a Get finds the token in %d places, want 1", found)
		}
		return nil
	}, func() {
		for i := range 100 {
			var b store.Batch
			b.Delete(places[i%3])
			b.Put(places[(i+1)%3], []byte("token"))
			mustCommit(t, s, &b)
		}
	})
}

func batchServesAgain(t *testing.T, s store.Store) {
	b := store.Batch{}
	key, value := make([]byte, 1), make([]byte, 1)
	for i := range byte(5) {
		b.Reset()
		key[0], value[0] = 'a'+i, '0'+i
		b.Put(key, value)
		mustCommit(t, s, &b)
	}
	got, err := scan(t.Context(), s, store.Range{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "Scan", got, []put{{"a", "0"}, {"b", "1"}, {"c", "2"}, {"d", "3"}, {"e", "4"}})
}

// agreesWithAMap applies random operations to the store and to a map, and compares them.
func agreesWithAMap(t *testing.T, s store.Store) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	universe := awkward()
	model := map[string]string{}
	for range 300 {
		var b store.Batch
		for _, i := range rnd.Perm(len(universe))[:rnd.IntN(6)] {
			k := universe[i]
			if rnd.IntN(3) == 0 {
				b.Delete([]byte(k))
				delete(model, k)
				continue
			}
			model[k] = fmt.Sprint(rnd.IntN(1000))
			b.Put([]byte(k), []byte(model[k]))
		}
		mustCommit(t, s, &b)
		i, j, limit := rnd.IntN(len(universe)), rnd.IntN(len(universe)), rnd.IntN(5)
		r := store.Range{From: []byte(universe[i]), To: []byte(universe[j])}
		got, err := scan(t.Context(), s, r, limit)
		if err != nil {
			t.Fatal(err)
		}
		var want []put
		for _, k := range universe[i:max(i, j)] {
			if v, ok := model[k]; ok && (limit == 0 || len(want) < limit) {
				want = append(want, put{k, v})
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("Scan(%q, %d) = %q, want %q", r, limit, got, want)
		}
	}
	for i, v := range get(t, s, universe...) {
		want, ok := model[universe[i]]
		if ok != (v != nil) || string(v) != want {
			t.Errorf("Get(%q) = %q, want %q (present: %v)", universe[i], v, want, ok)
		}
	}
}
