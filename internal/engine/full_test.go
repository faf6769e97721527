package engine_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/engine"
	"carillon/internal/job"
)

func TestFullStoreRefusesOnlyNewJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		var full atomic.Bool
		a := &app{}
		e, stop := run(t, db, a, engine.Config{Full: func() error {
			if full.Load() {
				return job.ErrFull
			}
			return nil
		}})
		defer stop()
		for _, name := range []string{"fires", "deleted"} {
			mustSchedule(t, e, key("app", name), once(time.Now().Add(time.Hour)))
		}
		full.Store(true)
		for _, overwrite := range []bool{false, true} {
			err := e.Schedule(t.Context(), key("app", "deleted"), once(time.Now()), overwrite)
			if !errors.Is(err, job.ErrFull) {
				t.Errorf("Schedule with overwrite=%v into a full store = %v, want ErrFull", overwrite, err)
			}
		}
		if err := e.Health(); !errors.Is(err, job.ErrFull) {
			t.Errorf("Health of a full store = %v, want ErrFull", err)
		}
		if err := e.Delete(t.Context(), key("app", "deleted")); err != nil {
			t.Errorf("Delete from a full store: %v", err)
		}
		time.Sleep(2 * time.Hour)
		if got := a.triggers(t); len(got) != 1 || got[0].Key.Name != "fires" {
			t.Errorf("a full store delivered %v, want only the job that was there and was not deleted", got)
		}
		full.Store(false)
		mustSchedule(t, e, key("app", "new"), once(time.Now()))
		if err := e.Health(); err != nil {
			t.Errorf("Health with room again = %v", err)
		}
	})
}
