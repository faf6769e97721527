package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/dispatch"
	"carillon/internal/engine"
	"carillon/internal/job"
)

func TestDroppedLanesLeaveNoWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dispatch.New(dispatch.Config{})
		s := open(t, vfs.NewMem())
		defer s.Close()
		e, stop := run(t, s, d, engine.Config{Partitions: 1})
		defer stop()
		for range 100 {
			mustSchedule(t, e, key("absent", "a"), once(time.Now()))
			synctest.Wait()
			if got := d.Stats().Waiting; got != 1 {
				t.Fatalf("%d wait for an app that is not there, want the one lane that has a job", got)
			}
			if err := e.Delete(t.Context(), key("absent", "a")); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if got := d.Stats(); got != (dispatch.Stats{}) {
			t.Errorf("when all jobs are deleted, the dispatcher still holds %+v", got)
		}
	})
}

// A lane that went while it was parked must not take the waiter of its successor with it.
func TestRecreatedLaneIsUnparked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dispatch.New(dispatch.Config{})
		s := open(t, vfs.NewMem())
		defer s.Close()
		e, stop := run(t, s, d, engine.Config{Partitions: 1})
		defer stop()
		mustSchedule(t, e, key("late", "a"), once(time.Now()))
		synctest.Wait()
		for i := range 20 {
			errs := e.ScheduleAll(t.Context(), []job.Request{
				{Key: key("late", "a"), Remove: true},
				{Key: key("late", string(rune('b'+i))), Spec: once(time.Now())},
				{Key: key("late", string(rune('b'+i))), Remove: true},
				{Key: key("late", "a"), Spec: once(time.Now())},
			})
			for _, err := range errs {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		synctest.Wait()
		stream := d.Connect([]job.Target{key("late", "a").Target})
		defer stream.Close()
		if _, got, err := stream.Next(t.Context()); err != nil || got.Key.Name != "a" {
			t.Errorf("when the app has come, it gets %q, %v", got.Key.Name, err)
		}
	})
}
