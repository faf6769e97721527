package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/store"
)

func TestInFlightAtLeaseEndCountsAsRedelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{answer: func(job.Trigger) (job.Outcome, time.Duration) { return job.Handled, time.Minute }}
		r := newRegistry(t)
		reg := prometheus.NewPedanticRegistry()
		node := func(cfg engine.Config) *node {
			cfg.Partitions, cfg.Shared = 1, true
			e, stop := run(t, r, anyway{a}, cfg)
			n := &node{Engine: e, registry: r, stop: map[int]func(){}}
			t.Cleanup(func() { n.leave(0); stop() })
			n.own(t, 0)
			return n
		}
		first := node(engine.Config{Metrics: reg})
		for i := range 10 {
			mustSchedule(t, first.Engine, key("app", fmt.Sprint(i)), once(time.Now()))
		}
		time.Sleep(time.Second)
		node(engine.Config{})
		first.dead.Store(true)
		time.Sleep(2 * time.Minute)
		got := gather(t, reg)["carillon_redeliveries_total"]
		if again := len(a.got) - 10; again != 10 || got != 10 {
			t.Errorf("%d triggers came again, and %v were counted, want 10", again, got)
		}
	})
}

func TestUnrecordedOutcomeCountsAsRedelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{answer: func(job.Trigger) (job.Outcome, time.Duration) { return job.Handled, time.Second }}
		db := open(t, vfs.NewMem())
		defer db.Close()
		var broken atomic.Bool
		reg := prometheus.NewPedanticRegistry()
		e, stop := run(t, brokenStore{db, &broken}, a, engine.Config{Loops: 1, Metrics: reg})
		defer stop()
		for i := range 10 {
			mustSchedule(t, e, key("app", fmt.Sprint(i)), once(time.Now()))
		}
		broken.Store(true)
		time.Sleep(1500 * time.Millisecond)
		broken.Store(false)
		time.Sleep(time.Minute)
		got := gather(t, reg)["carillon_redeliveries_total"]
		if again := len(a.triggers(t)) - 10; again == 0 || got != float64(again) {
			t.Errorf("%d triggers came again, and %v were counted", again, got)
		}
	})
}

// A brokenStore refuses to commit while it is broken.
type brokenStore struct {
	store.Store
	broken *atomic.Bool
}

func (s brokenStore) Commit(ctx context.Context, b *store.Batch) error {
	if s.broken.Load() {
		return errors.New("broken")
	}
	return s.Store.Commit(ctx, b)
}
