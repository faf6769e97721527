package engine_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/store"
)

// A tombstoneStore is a store that counts the tombstones that its scans step over. Pebble, like most
// stores, keeps a tombstone of each deleted key for a while.
type tombstoneStore struct {
	store.Store

	mu         sync.Mutex // guards the fields below
	tombstones map[string]bool
	steps      int
}

func (g *tombstoneStore) Commit(ctx context.Context, b *store.Batch) error {
	g.mu.Lock()
	for _, w := range b.Writes {
		if w.Remove {
			g.tombstones[string(w.Key)] = true
		} else {
			delete(g.tombstones, string(w.Key))
		}
	}
	g.mu.Unlock()
	return g.Store.Commit(ctx, b)
}

func (g *tombstoneStore) Scan(ctx context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		to, n, stopped := string(r.To), 0, false
		for pair, err := range g.Store.Scan(ctx, r, limit) {
			last := string(pair.Key)
			n++
			if stopped = !yield(pair, err); stopped || n == limit {
				to = last
				break
			}
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		for k := range g.tombstones {
			if k >= string(r.From) && k < to {
				g.steps++
			}
		}
	}
}

// passed returns how many tombstones the scans have stepped over since it was last called.
func (g *tombstoneStore) passed() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.steps
	g.steps = 0
	return n
}

func TestTombstonesAreSkippedOnce(t *testing.T) {
	const cancelled, rounds, few = 3000, 8, 300 // few are more than a window holds
	for name, cancel := range map[string]func(*testing.T, *engine.Engine) error{
		"by prefix": func(t *testing.T, e *engine.Engine) error {
			return e.DeleteAll(t.Context(), job.Prefix{Kind: job.App, Namespace: "ns", Parts: []string{"app"}, Rest: "gone"})
		},
		"one by one, the last first": func(t *testing.T, e *engine.Engine) error {
			for i := range cancelled {
				if err := e.Delete(t.Context(), key("app", fmt.Sprint("gone", cancelled-1-i))); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			db := open(t, vfs.NewMem())
			defer db.Close()
			s, a := &tombstoneStore{Store: db, tombstones: map[string]bool{}}, &app{}
			e, stop := run(t, s, a, engine.Config{Partitions: 1})
			defer stop()
			edge := time.Now().Add(time.Hour)
			for i := range cancelled {
				mustSchedule(t, e, key("app", fmt.Sprint("gone", i)), once(edge.Add(time.Duration(i))))
			}
			mustSchedule(t, e, key("app", "after"), once(edge.Add(time.Minute)))
			if err := cancel(t, e); err != nil {
				t.Fatal(err)
			}
			for round := range rounds {
				for i := range few {
					mustSchedule(t, e, key("app", fmt.Sprint(round, i)), once(time.Now().Add(time.Second)))
				}
				time.Sleep(2 * time.Second)
			}
			time.Sleep(2 * time.Hour)
			stop()
			if got, most := s.passed(), cancelled+3*rounds*few; got > most {
				t.Errorf("%s: %d deleted entries were stepped over, want %d at most", name, got, most)
			}
			got := a.triggers(t)
			if len(got) != rounds*few+1 || !strings.HasSuffix(got[len(got)-1].Key.Name, "after") || a.late != 0 {
				t.Errorf("%s: %d triggers, the latest %v late, want %d on time", name, len(got), a.late, rounds*few+1)
			}
		})
	}
}
