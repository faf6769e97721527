package duescan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
)

// A sortedStore holds keys in memory.
type sortedStore struct {
	store.Store

	keys [][]byte
	err  error // of each scan
}

func (s *sortedStore) Scan(_ context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		if s.err != nil {
			yield(store.Pair{}, s.err)
			return
		}
		at, _ := slices.BinarySearchFunc(s.keys, r.From, bytes.Compare)
		for n := 0; at < len(s.keys) && bytes.Compare(s.keys[at], r.To) < 0 && n < limit; at, n = at+1, n+1 {
			if !yield(store.Pair{Key: s.keys[at]}, nil) {
				return
			}
		}
	}
}

// newScan returns a scan of these entries, and of other keys, up to an instant.
func newScan(entries []record.Entry, others [][]byte, until time.Time, work int) *Scan {
	const partitions = 4
	s := &sortedStore{keys: slices.Clone(others)}
	for i := range entries {
		entries[i].Partition = record.PartitionOf(entries[i].Key, partitions)
		s.keys = append(s.keys, record.DueKey(entries[i]))
	}
	slices.SortFunc(s.keys, bytes.Compare)
	return &Scan{
		Store: s, Partitions: partitions, Until: until, MaxWork: work, Deadline: time.Now().Add(time.Hour),
		Report: func(context.Context, []byte, int, error) {},
	}
}

func randomEntries(r *rand.Rand, begin time.Time) (all []record.Entry) {
	targets := 1 + r.IntN(12)
	for i := range r.IntN(1500) {
		k := job.Key{Target: job.Target{Kind: job.Kind(1 + r.IntN(2)), Namespace: fmt.Sprint("n", r.IntN(2)), Name: fmt.Sprint("t", r.IntN(targets))}, Name: fmt.Sprint(i)}
		if k.Target.Kind == job.Actor {
			k.ActorID = fmt.Sprint(r.IntN(3))
		}
		all = append(all, record.Entry{Key: k, Due: begin.Add(time.Duration(r.IntN(500)) * time.Second)})
	}
	return all
}

// TestScanFindsAllThatItPromises compares scans with a filtered list of random entries. What is due
// before Through has to be found whatever the bound is.
func TestScanFindsAllThatItPromises(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	cut := 0
	for range 400 {
		all := randomEntries(r, begin)
		var others [][]byte
		for range r.IntN(3) * 20 { // malformed keys within lanes
			e := record.Entry{Due: begin.Add(time.Duration(r.IntN(500)) * time.Second), Key: job.Key{Target: job.Target{Kind: job.App, Namespace: "n0", Name: "t0"}, Name: "x"}, Partition: r.IntN(4)}
			others = append(others, append(record.DueKey(e), 7))
		}
		s := newScan(all, others, begin.Add(time.Duration(r.IntN(600))*time.Second), 200+r.IntN(3000))
		switch r.IntN(4) {
		case 0:
			s.Selector = job.Selector{Namespace: "n1"}
		case 1:
			s.Selector = job.Selector{Kind: job.Actor, Target: "t0", ActorID: "1"}
		case 2:
			s.Selector = job.Selector{Kind: job.App, Namespace: "n0", Target: "t0"}
		}
		found := map[record.Entry]bool{}
		res, err := s.Run(t.Context(), func(some []record.Entry) error {
			for _, e := range some {
				if found[e] || !s.Selector.Selects(e.Key) || !e.Due.Before(s.Until) {
					t.Errorf("found %v again, or without being asked", e)
				}
				found[e] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		through := s.Until
		if !res.Complete {
			through = res.Through
			cut++
		}
		for _, e := range all {
			if s.Selector.Selects(e.Key) && e.Due.Before(through) && e.Due.Before(s.Until) && !found[e] {
				t.Errorf("%v was not found, though it is due before %v (complete: %v)", e, through, res.Complete)
			}
		}
	}
	if cut < 20 {
		t.Errorf("only %d scans were cut: this proves little", cut)
	}
}

// TestLongLaneHidesNoOther reads an index in which one app has nearly all entries.
func TestLongLaneHidesNoOther(t *testing.T) {
	begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	var all []record.Entry
	for i := range 20_000 {
		all = append(all, record.Entry{Due: begin.Add(time.Duration(i)), Key: job.Key{Target: job.Target{Kind: job.App, Namespace: "n", Name: "a"}, Name: fmt.Sprint(i)}})
	}
	late := job.Target{Kind: job.App, Namespace: "n", Name: "b"}
	all = append(all, record.Entry{Due: begin.Add(time.Minute), Key: job.Key{Target: late, Name: "j"}})
	s := newScan(all, nil, begin.Add(time.Hour), 2000)
	seen := false
	res, err := s.Run(t.Context(), func(some []record.Entry) error {
		seen = seen || some[0].Key.Target == late
		return nil
	})
	if err != nil || res.Complete || !seen || res.Through.Before(begin) || res.Read > 2000 {
		t.Errorf("Run = %+v, %v, found the other app: %v", res, err, seen)
	}
}

func TestErrorEndsScan(t *testing.T) {
	broken := errors.New("broken")
	s := newScan(nil, nil, time.Now(), 100)
	s.Store = &sortedStore{err: broken}
	if _, err := s.Run(t.Context(), nil); !errors.Is(err, broken) {
		t.Errorf("Run = %v, want the error of the store", err)
	}
	s = newScan(randomEntries(rand.New(rand.NewPCG(3, 4)), time.Unix(0, 0)), nil, time.Now(), 1000)
	if _, err := s.Run(t.Context(), func([]record.Entry) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("Run = %v, want the error of the caller", err)
	}
}
