package dueorder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
)

// A sortedStore holds keys in memory, and counts what is read.
type sortedStore struct {
	store.Store

	keys         [][]byte
	reads, scans atomic.Int64
}

func (s *sortedStore) Scan(_ context.Context, r store.Range, _ int) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		s.scans.Add(1)
		at, _ := slices.BinarySearchFunc(s.keys, r.From, bytes.Compare)
		for ; at < len(s.keys) && bytes.Compare(s.keys[at], r.To) < 0; at++ {
			s.reads.Add(1)
			if !yield(store.Pair{Key: s.keys[at]}, nil) {
				return
			}
		}
	}
}

// newIndex returns an index of these entries, which it places in partitions.
func newIndex(t *testing.T, partitions int, entries []record.Entry) (*Index, *sortedStore) {
	s := &sortedStore{}
	for i := range entries {
		entries[i].Partition = record.PartitionOf(entries[i].Key, partitions)
		s.keys = append(s.keys, record.DueKey(entries[i]))
	}
	slices.SortFunc(s.keys, bytes.Compare)
	return &Index{
		Store: s, Partitions: partitions, MaxWork: DefaultMaxWork,
		Report: func(_ context.Context, key []byte, _ int, why error) { t.Errorf("%x: %v", key, why) },
	}, s
}

// randomEntry returns an entry of one of many jobs, which often has the instant of another one.
func randomEntry(r *rand.Rand, targets int) record.Entry {
	k := job.Key{
		Target: job.Target{Kind: job.Kind(1 + r.IntN(2)), Namespace: []string{"n", "n\x00", "nn"}[r.IntN(3)], Name: fmt.Sprint("t", r.IntN(targets))},
		Name:   fmt.Sprint(r.Uint32()),
	}
	if k.Target.Kind == job.Actor {
		k.ActorID = []string{"1", "2"}[r.IntN(2)]
	}
	due := time.Date(2030, 1, 1, 0, 0, 0, r.IntN(200), time.UTC)
	switch r.IntN(50) {
	case 0: // the last instant of the narrow form, and the first of the wide one
		due = time.Unix(0, 1<<63-1).Add(time.Duration(r.IntN(2))).UTC()
	case 1:
		due = time.Date(1500, 1, 1, 0, 0, 0, r.IntN(3), time.UTC)
	}
	return record.Entry{Due: due, Key: k}
}

// TestPagesAreTheSortedIndex compares pages of random entries with a sorted list of them.
func TestPagesAreTheSortedIndex(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for round := range 300 {
		var all []record.Entry
		targets := 1 + r.IntN(30)
		for range r.IntN(600) {
			all = append(all, randomEntry(r, targets))
		}
		x, _ := newIndex(t, 1+r.IntN(8), all)
		x.Remote = r.IntN(2) == 0
		some := randomEntry(r, targets).Key.Target
		s := job.Selector{ActorID: "ignored", NamePrefix: "ignored"}
		if r.IntN(2) == 0 {
			s.Kind = some.Kind
		}
		if r.IntN(2) == 0 {
			s.Namespace = some.Namespace
		}
		if r.IntN(2) == 0 {
			s.Target = some.Name
		}
		selected := s
		selected.ActorID, selected.NamePrefix = "", ""
		want := slices.DeleteFunc(slices.Clone(all), func(e record.Entry) bool { return !selected.Selects(e.Key) })
		slices.SortFunc(want, record.Entry.CompareDue)
		from, limit := Cursor{}, 1+r.IntN(40)
		if r.IntN(3) == 0 { // begin at a place where there may be no entry
			e := randomEntry(r, targets)
			from = Before(e)
			want = slices.DeleteFunc(want, func(f record.Entry) bool { return f.CompareDue(e) < 0 })
		}
		var got []record.Entry
		for more := true; more; {
			var page []record.Entry
			var err error
			if page, more, err = x.Page(t.Context(), s, from, limit); err != nil {
				t.Fatal(err)
			}
			if len(page) > limit || more && len(page) < limit {
				t.Fatalf("a page has %d entries, want %d", len(page), limit)
			}
			if got = append(got, page...); more {
				parsed, err := ParseCursor(Behind(page[len(page)-1]).Bytes())
				if err != nil {
					t.Fatal(err)
				}
				from = parsed
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("round %d: %+v: %d entries, want %d: %v\n%v", round, s, len(got), len(want), got, want)
		}
	}
}

// TestWorkGrowsWithLanesAlone reads the middle of an index with few lanes and many entries.
func TestWorkGrowsWithLanesAlone(t *testing.T) {
	begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, n := range []int{10_000, 200_000} {
		var all []record.Entry
		for i := range n {
			all = append(all, record.Entry{Due: begin.Add(time.Duration(i)), Key: job.Key{Target: job.Target{Kind: job.App, Namespace: "n", Name: "app"}, Name: fmt.Sprint(i)}})
		}
		x, s := newIndex(t, 16, all)
		for _, selector := range []job.Selector{{}, {Kind: job.App, Namespace: "n", Target: "app"}} {
			s.reads.Store(0)
			s.scans.Store(0)
			page, more, err := x.Page(t.Context(), selector, Behind(all[n/2]), 50)
			if err != nil || len(page) != 50 || !more || page[0].Key != all[n/2+1].Key {
				t.Fatalf("a page has %d entries, more %v, %v", len(page), more, err)
			}
			if reads, scans := s.reads.Load(), s.scans.Load(); reads > 2000 || scans > 16*4 {
				t.Errorf("%d entries: a page reads %d entries in %d scans", n, reads, scans)
			}
		}
	}
}

func TestShortLanesAreReadThrough(t *testing.T) {
	var all []record.Entry
	for i := range 30_000 {
		k := job.Key{Target: job.Target{Kind: job.App, Namespace: "n", Name: fmt.Sprint("app", i/3)}, Name: fmt.Sprint(i)}
		all = append(all, record.Entry{Due: time.Date(2030, 1, 1, 0, 0, i%977, 0, time.UTC), Key: k})
	}
	x, s := newIndex(t, 16, all)
	if _, _, err := x.Page(t.Context(), job.Selector{}, Cursor{}, 50); err != nil || s.scans.Load() > 2*16 {
		t.Errorf("a page took %d scans, %v, want two for each partition", s.scans.Load(), err)
	}
}

func TestTooManyLanesAreRefused(t *testing.T) {
	var all []record.Entry
	for i := range 1000 {
		all = append(all, record.Entry{Due: time.Unix(int64(i), 0).UTC(), Key: job.Key{Target: job.Target{Kind: job.App, Namespace: "n", Name: fmt.Sprint(i)}, Name: "j"}})
	}
	x, s := newIndex(t, 4, all)
	x.MaxWork = 500
	if _, _, err := x.Page(t.Context(), job.Selector{}, Cursor{}, 1); !errors.Is(err, ErrTooManyLanes) || s.reads.Load() > 500 {
		t.Errorf("Page = %v after %d reads, want ErrTooManyLanes", err, s.reads.Load())
	}
	if page, _, err := x.Page(t.Context(), job.Selector{Kind: job.App, Namespace: "n", Target: "7"}, Cursor{}, 1); err != nil || len(page) != 1 {
		t.Errorf("Page of one app = %v, %v", page, err)
	}
}

func TestMalformedKeysAreReported(t *testing.T) {
	e := record.Entry{Due: time.Unix(1, 0).UTC(), Key: job.Key{Target: job.Target{Kind: job.App, Namespace: "n", Name: "a"}, Name: "j"}}
	x, s := newIndex(t, 2, []record.Entry{e})
	stray := e
	stray.Partition = 1 - record.PartitionOf(e.Key, 2)
	s.keys = append(s.keys, record.DueKey(stray), append(record.LaneRange(stray.Lane()).From, 1))
	slices.SortFunc(s.keys, bytes.Compare)
	reported := 0
	x.Report = func(context.Context, []byte, int, error) { reported++ }
	if page, more, err := x.Page(t.Context(), job.Selector{}, Cursor{}, 10); err != nil || len(page) != 1 || more || reported != 2 {
		t.Errorf("Page = %v, %v, %v with %d reports, want one entry and two reports", page, more, err, reported)
	}
}

func TestStoreErrorEndsPage(t *testing.T) {
	broken := errors.New("broken")
	x, _ := newIndex(t, 4, nil)
	x.Store = brokenStore{err: broken}
	for _, x.Remote = range []bool{false, true} {
		if _, _, err := x.Page(t.Context(), job.Selector{}, Cursor{}, 1); !errors.Is(err, broken) {
			t.Errorf("Page = %v, want the error of the store", err)
		}
	}
}

// A brokenStore answers each scan with an error.
type brokenStore struct {
	store.Store

	err error
}

func (s brokenStore) Scan(context.Context, store.Range, int) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) { yield(store.Pair{}, s.err) }
}

func TestForgedCursorsAreRefused(t *testing.T) {
	good := Before(record.Entry{Due: time.Unix(1, 0).UTC(), Key: job.Key{Target: job.Target{Kind: job.App, Namespace: "n", Name: "a"}, Name: "j"}}).Bytes()
	if c, err := ParseCursor(nil); err != nil || c.Bytes() != nil {
		t.Errorf("ParseCursor(nil) = %v, %v, want the beginning", c, err)
	}
	for _, bad := range [][]byte{{0}, {2}, good[1:], good[:5], append([]byte{2}, good[1:]...), append(slices.Clone(good), 0)} {
		if _, err := ParseCursor(bad); !errors.Is(err, ErrCursor) {
			t.Errorf("ParseCursor(%x) = %v, want ErrCursor", bad, err)
		}
	}
}
