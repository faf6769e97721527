package app

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/dispatch"
	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/store/pebblestore"
	"carillon/internal/when"
)

func TestFullReceiversAreNotAbsent(t *testing.T) {
	target := job.Target{Kind: job.App, Namespace: "ns", Name: "a"}
	d := dispatch.New(dispatch.Config{MaxInFlight: 1})
	expect := func(want engine.Receivers) {
		t.Helper()
		if got := receivers(d, target); got != want {
			t.Errorf("receivers are %d, want %d", got, want)
		}
	}
	expect(engine.ReceiversAbsent)
	s := d.Connect([]job.Target{target})
	expect(engine.ReceiversReady)
	d.Deliver(job.Trigger{Key: job.Key{Target: target, Name: "x"}}, func(job.Outcome) {}, func(int) {})
	expect(engine.ReceiversFull)
	s.Close()
	expect(engine.ReceiversAbsent)
}

// A concurrency limit holds the trigger of a reminder in the dispatcher, where the engine takes it for in flight.
func TestHeldReminderIsNotInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.NewTextHandler(t.Output(), nil))
		st, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true}, log)
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		target := job.Target{Kind: job.Actor, Namespace: "ns", Name: "T"}
		d := dispatch.New(dispatch.Config{})
		e := engine.New(engine.Config{}, st, d, log)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		s := d.Connect([]job.Target{target}, dispatch.ConcurrencyLimit{Target: target, Max: 1})
		var keys []job.Key
		for _, id := range []string{"1", "2", "3"} {
			k := job.Key{Target: target, ActorID: id, Name: "r"}
			spec := job.Spec{Plan: when.Plan{First: time.Now().UTC().Round(0)}, Policy: job.DefaultPolicy(), AppID: "a"}
			if err := e.Schedule(t.Context(), k, spec, false); err != nil {
				t.Fatal(err)
			}
			keys = append(keys, k)
		}
		time.Sleep(time.Second)
		all, err := localProgress(t.Context(), e, d, keys)
		found := map[engine.Holdup]int{}
		for _, p := range all {
			found[p.Holdup]++
		}
		if err != nil || found[engine.HoldupInFlight] != 1 || found[engine.HoldupConcurrency] != 2 {
			t.Errorf("of three reminders, one at a time: %v, %v", all, err)
		}
		s.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
