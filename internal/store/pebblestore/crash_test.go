package pebblestore_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/store"
	"carillon/internal/store/pebblestore"
)

// A ledger writes to a store and knows what was acknowledged. Every batch puts the same number at several keys, some of
// them far larger than a block, so that half a batch shows.
type ledger struct {
	writers int
	acked   []atomic.Int64 // by writer: the last number acknowledged
	begun   []atomic.Int64 // by writer: the last number given to Commit
}

const keysOfABatch = 4

func newLedger(writers int) *ledger {
	return &ledger{writers: writers, acked: make([]atomic.Int64, writers), begun: make([]atomic.Int64, writers)}
}

// write has every writer commit rounds batches, or until the first error, and returns the first error of each.
func (l *ledger) write(ctx context.Context, s store.Store, rounds int, size func() int) []error {
	errs := make([]error, l.writers)
	var wg sync.WaitGroup
	for w := range l.writers {
		wg.Go(func() {
			for range rounds {
				n := l.begun[w].Add(1)
				var b store.Batch
				for k := range keysOfABatch {
					v := append(fmt.Append(nil, n, " "), bytes.Repeat([]byte{'x'}, size())...)
					b.Put(fmt.Appendf(nil, "%d/%d", w, k), v)
				}
				b.Put(fmt.Appendf(nil, "%d/log/%08d", w, n), nil)
				if errs[w] = s.Commit(ctx, &b); errs[w] != nil {
					return
				}
				l.acked[w].Store(n)
			}
		})
	}
	wg.Wait()
	return errs
}

// snapshot returns a copy of what has been acknowledged so far.
func (l *ledger) snapshot() []int64 {
	var a []int64
	for w := range l.acked {
		a = append(a, l.acked[w].Load())
	}
	return a
}

// check fails the test unless s holds, of each writer, whole batches up to one that is not before acked and was begun.
func (l *ledger) check(t *testing.T, s store.Store, acked []int64) {
	t.Helper()
	for w := range l.writers {
		var keys [][]byte
		for k := range keysOfABatch {
			keys = append(keys, fmt.Appendf(nil, "%d/%d", w, k))
		}
		values, err := s.Get(t.Context(), keys...)
		if err != nil {
			t.Fatal(err)
		}
		var found [keysOfABatch]int64
		for i, v := range values {
			if v != nil {
				if _, err := fmt.Sscan(string(v[:min(len(v), 20)]), &found[i]); err != nil {
					t.Fatalf("writer %d: value of %d bytes: %v", w, len(v), err)
				}
			}
			if found[i] != found[0] {
				t.Errorf("writer %d: half a batch is there: %v", w, found)
				break
			}
		}
		if n, begun := found[0], l.begun[w].Load(); n < acked[w] || n > begun {
			t.Errorf("writer %d: batch %d is the last one there; %d was acknowledged, %d begun", w, n, acked[w], begun)
		}
		logged := int64(0)
		for p, err := range s.Scan(t.Context(), store.Prefix(fmt.Appendf(nil, "%d/log/", w)), 0) {
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("%d/log/%08d", w, logged+1); string(p.Key) != want {
				t.Errorf("writer %d: %q is there, want %q next", w, p.Key, want)
				break
			}
			logged++
		}
		if logged != found[0] {
			t.Errorf("writer %d: %d batches are in its log, the last is %d", w, logged, found[0])
		}
	}
}

// A cut is a disk as a power cut left it, and what had been acknowledged by then.
type cut struct {
	disk  vfs.FS
	acked []int64
}

// TestPowerCutLosesNothing cuts the power at random moments while four writers commit, and keeps a random part of what
// was not synced.
func TestPowerCutLosesNothing(t *testing.T) {
	const writers, rounds, cuts = 4, 25, 3
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			disk := vfs.NewCrashableMem()
			l := newLedger(writers)
			s := open(t, pebblestore.Config{Dir: "store", FS: disk, NoTickers: true})
			size := []int{10, 1000, 8_000}[seed%3]
			left := make(chan cut, cuts)
			var calls atomic.Int64
			moments := rnd.Perm(writers * rounds * keysOfABatch)[:cuts]
			errs := l.write(t.Context(), s, rounds, func() int {
				// This is one writer at work on its next batch; the others are anywhere.
				if i := slices.Index(moments, int(calls.Add(1)-1)); i >= 0 {
					c := cut{acked: l.snapshot()} // before the cut: what is acknowledged later may be lost by it
					keep := vfs.CrashCloneCfg{UnsyncedDataPercent: int(seed*37+uint64(i)*50) % 101, RNG: rand.New(rand.NewPCG(seed, uint64(i)+1))}
					c.disk = disk.CrashClone(keep)
					left <- c
				}
				return size
			})
			for w, err := range errs {
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
			for range cuts {
				c := <-left
				again := open(t, pebblestore.Config{Dir: "store", FS: c.disk, NoTickers: true})
				l.check(t, again, c.acked)
				if err := put(t.Context(), again, "after", "the cut"); err != nil {
					t.Errorf("Commit after the cut: %v", err)
				}
			}
		})
	}
}
