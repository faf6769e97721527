package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
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

func TestHealthNamesStuckPartitionsWithinFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		s := slowStore{db, make(chan error, 1)}
		s.syncs <- nil
		e, stop := run(t, s, &app{}, engine.Config{Partitions: 64, Loops: 4})
		synctest.Wait()
		if err := e.Health(); err != nil {
			t.Errorf("an idle engine is not healthy: %v", err)
		}
		answered := make(chan error, 1)
		go func() { answered <- e.Schedule(t.Context(), key("app", "a"), once(time.Now()), false) }()
		time.Sleep(5 * time.Second)
		if err := e.Health(); err == nil || !strings.Contains(err.Error(), "have been in one turn for 5s") || strings.Count(err.Error(), "partitions ") != 1 {
			t.Errorf("with a commit that hangs, Health = %v, want the partitions of the one loop", err)
		}
		close(s.syncs)
		if err := <-answered; err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if err := e.Health(); err != nil {
			t.Errorf("afterwards, Health = %v", err)
		}
		stop()
		if err := e.Health(); err == nil {
			t.Error("an engine that has ended is healthy")
		}
	})
}

// A blindStore cannot be scanned while blind is set.
type blindStore struct {
	store.Store
	blind *atomic.Bool
}

func (s blindStore) Scan(ctx context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	if s.blind.Load() {
		return func(yield func(store.Pair, error) bool) { yield(store.Pair{}, errors.New("input/output error")) }
	}
	return s.Store.Scan(ctx, r, limit)
}

func TestPartitionIsUnhealthyUntilLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		var blind atomic.Bool
		blind.Store(true)
		e, stop := run(t, blindStore{db, &blind}, &app{}, engine.Config{Partitions: 5, Loops: 2})
		defer stop()
		time.Sleep(time.Minute)
		if err := e.Health(); err == nil || err.Error() != "partitions 0-1 are not loaded\npartitions 2-4 are not loaded" {
			t.Errorf("Health = %v", err)
		}
		blind.Store(false)
		time.Sleep(6 * time.Second)
		if err := e.Health(); err != nil {
			t.Errorf("Health = %v when the disk is well again", err)
		}
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		lost := true
		a := &app{answer: func(tr job.Trigger) (job.Outcome, time.Duration) {
			switch {
			case tr.Key.Name == "lost" && lost:
				lost = false
				return job.Lost, 0
			case tr.Key.Name == "dropped":
				return job.Failed, 0
			case tr.Key.Name == "slow":
				return job.Handled, time.Hour
			}
			return job.Handled, 0
		}}
		s := open(t, vfs.NewMem())
		defer s.Close()
		e, stop := run(t, s, fullApp{a}, engine.Config{Metrics: reg})
		defer stop()
		soon := time.Now().Add(time.Second)
		for _, name := range []string{"lost", "handled", "slow", "dropped"} {
			spec := once(soon)
			spec.Policy = job.Policy{Drop: true}
			mustSchedule(t, e, key("app", name), spec)
		}
		mustSchedule(t, e, key("full", "a"), once(soon))
		mustSchedule(t, e, key("app", "far"), once(soon.Add(24*time.Hour)))
		time.Sleep(11 * time.Second)
		got := gather(t, reg)
		for series, want := range map[string]float64{
			`carillon_deliveries_total{handled}`: 2,
			`carillon_deliveries_total{failed}`:  1,
			`carillon_deliveries_total{lost}`:    1,
			`carillon_redeliveries_total`:        1,
			`carillon_out`:                       1,
			`carillon_due_jobs`:                  1,
			`carillon_oldest_due_seconds`:        10,
			`carillon_lanes_parked`:              1,
			`carillon_window_entries`:            2,
			`carillon_lateness_seconds`:          5, // observations
		} {
			if got[series] != want {
				t.Errorf("%s is %v, want %v", series, got[series], want)
			}
		}
		if got["carillon_commit_seconds"] == 0 || got["carillon_commit_jobs"] != got["carillon_commit_seconds"] {
			t.Errorf("%v commits were timed and %v counted", got["carillon_commit_seconds"], got["carillon_commit_jobs"])
		}
	})
}

// gather returns the values of all series; of a histogram, how many observations it has.
func gather(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += fmt.Sprintf("{%s}", l.GetValue())
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return got
}
