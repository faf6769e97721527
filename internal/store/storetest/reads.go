package storetest

import (
	"slices"
	"testing"

	"carillon/internal/store"
)

func getReturnsWhatWasPut(t *testing.T, s store.Store) {
	keys := awkward()
	fill(t, s, keys...)
	slices.Reverse(keys) // the values are in the order of the keys
	for i, v := range get(t, s, append(keys, keys[0])...) {
		if k := append(keys, keys[0])[i]; string(v) != "value of "+k {
			t.Errorf("Get(%q) = %q, want %q", k, v, "value of "+k)
		}
	}
}

func getTellsAbsentFromEmpty(t *testing.T, s store.Store) {
	commit(t, s, put{"empty", ""}, put{"full", "x"})
	var b store.Batch
	b.Put([]byte("nil"), nil)
	mustCommit(t, s, &b)
	got := get(t, s, "absent", "empty", "nil", "full", "emptyish", "empt")
	equal(t, "Get", got, [][]byte{nil, {}, {}, []byte("x"), nil, nil})
	for i, k := range []string{"empty", "nil"} {
		if got[i+1] == nil {
			t.Errorf("Get(%q) = nil, which says absent; want an empty value", k)
		}
	}
}

func getOfNothing(t *testing.T, s store.Store) {
	if got := get(t, s); len(got) != 0 {
		t.Errorf("Get() = %q, want nothing", got)
	}
}

func getGivesValuesAway(t *testing.T, s store.Store) {
	commit(t, s, put{"a", "first"}, put{"b", "second"})
	got := get(t, s, "a", "b", "a")
	for i := range 200 {
		commit(t, s, put{"a", "later"}, put{"b", string(large(byte(i), 3000))})
	}
	equal(t, "values of an old Get after later writes", got, [][]byte{[]byte("first"), []byte("second"), []byte("first")})
	copy(got[0], "XXXXX")
	equal(t, "the other values after one was changed", got[1:], [][]byte{[]byte("second"), []byte("first")})
	equal(t, "the store after a value was changed", get(t, s, "a"), [][]byte{[]byte("later")})
}

func scanIsInOrder(t *testing.T, s store.Store) {
	keys := awkward()
	fill(t, s, keys...)
	wantKeys(t, s, store.Range{}, 0, keys...)
	got, err := scan(t.Context(), s, store.Range{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range got {
		if want := "value of " + p.key; p.value != want {
			t.Errorf("Scan yields %q at %q, want %q", p.value, p.key, want)
		}
	}
}

func scanKeepsToItsBounds(t *testing.T, s store.Store) {
	keys := awkward()
	fill(t, s, keys...)
	for i, from := range keys {
		wantKeys(t, s, store.Range{From: []byte(from)}, 0, keys[i:]...)
		wantKeys(t, s, store.Range{To: []byte(from)}, 0, keys[:i]...)
		wantKeys(t, s, store.Range{From: []byte(from + "\x00\x00")}, 1, after(keys, from+"\x00\x00")...)
		for j, to := range keys {
			wantKeys(t, s, store.Range{From: []byte(from), To: []byte(to)}, 0, keys[i:max(i, j)]...)
		}
	}
	wantKeys(t, s, store.Range{From: []byte{}, To: nil}, 0, keys...)
	wantKeys(t, s, store.Range{From: []byte("\xff\xff\xff")}, 0)
}

// after returns the first of keys that is not below k, if there is one.
func after(keys []string, k string) []string {
	i, _ := slices.BinarySearch(keys, k)
	return keys[i:min(i+1, len(keys))]
}

func scanKeepsToItsLimit(t *testing.T, s store.Store) {
	keys := numbered(250)
	fill(t, s, keys...)
	for _, limit := range []int{1, 2, 99, 100, 101, 249, 250, 251, 1000} {
		wantKeys(t, s, store.Range{}, limit, keys[:min(limit, len(keys))]...)
	}
	wantKeys(t, s, store.Range{}, 0, keys...)
	wantKeys(t, s, store.Range{From: []byte(keys[200]), To: []byte(keys[210])}, 5, keys[200:205]...)
	wantKeys(t, s, store.Range{From: []byte(keys[200]), To: []byte(keys[203])}, 5, keys[200:203]...)
}

func scanFindsAPrefix(t *testing.T, s store.Store) {
	keys := awkward()
	fill(t, s, keys...)
	for _, prefix := range append(keys, "", "c", "\xfe", "a\xff\xff\xff", "\xff\xff\xff") {
		var want []string
		for _, k := range keys {
			if len(k) >= len(prefix) && k[:len(prefix)] == prefix {
				want = append(want, k)
			}
		}
		wantKeys(t, s, store.Prefix([]byte(prefix)), 0, want...)
	}
}

func scanYieldsEmptyValues(t *testing.T, s store.Store) {
	commit(t, s, put{"a", ""}, put{"b", "x"}, put{"c", ""})
	got, err := scan(t.Context(), s, store.Range{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "Scan", got, []put{{"a", ""}, {"b", "x"}, {"c", ""}})
}

func scanMayBeLeftEarly(t *testing.T, s store.Store) {
	keys := numbered(300)
	fill(t, s, keys...)
	for n := range 20 { // a store that leaks scans reports that when it is closed
		seen := 0
		for p, err := range s.Scan(t.Context(), store.Range{}, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if string(p.Key) != keys[seen] {
				t.Fatalf("pair %d is %q, want %q", seen, p.Key, keys[seen])
			}
			if seen++; seen > n {
				break
			}
		}
	}
}

func scanServesAgain(t *testing.T, s store.Store) {
	all := s.Scan(t.Context(), store.Range{}, 2)
	for p, err := range all {
		t.Errorf("a scan of an empty store yields %q, %v", p.Key, err)
	}
	fill(t, s, "a", "b", "c")
	for range 2 {
		n := 0
		for _, err := range all {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 2 {
			t.Errorf("the same scan again yields %d pairs, want 2", n)
		}
	}
}

func callWithinAScan(t *testing.T, s store.Store) {
	keys := numbered(20)
	fill(t, s, keys...)
	seen := 0
	for p, err := range s.Scan(t.Context(), store.Range{From: []byte("key/"), To: []byte("key0")}, 0) {
		if err != nil {
			t.Fatal(err)
		}
		k := string(p.Key)
		equal(t, "Get within a Scan", get(t, s, k), [][]byte{p.Value})
		wantKeys(t, s, store.Range{From: []byte(k)}, 1, k)
		commit(t, s, put{"other/" + k, "x"})
		seen++
	}
	if seen != len(keys) {
		t.Errorf("the scan yielded %d pairs, want %d", seen, len(keys))
	}
}
