package engine_test

import (
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/engine"
	"carillon/internal/job"
)

// delays runs use with an engine and an app, and returns the sums of lateness and of delays by the app, in seconds.
func delays(t *testing.T, a engine.Deliverer, use func(e *engine.Engine)) (late, byApp float64) {
	t.Helper()
	s, r := open(t, vfs.NewMem()), prometheus.NewRegistry()
	defer s.Close()
	e, stop := run(t, s, a, engine.Config{Partitions: 1, Metrics: r})
	defer stop()
	use(e)
	synctest.Wait()
	return figure(t, r, "carillon_lateness_seconds"), figure(t, r, "carillon_app_delay_seconds")
}

func TestLatenessExcludesRetriesAndSlowAttempts(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(job.Trigger) (job.Outcome, time.Duration)
		byApp  float64
	}{
		// Two attempts of ten minutes each, each followed at once by the next, whose due instant has passed by then.
		"fails slowly": {func(tr job.Trigger) (job.Outcome, time.Duration) {
			if tr.Attempt < 2 {
				return job.Failed, 10 * time.Minute
			}
			return job.Handled, 0
		}, 600 + 1200},
		// The policy's second lies between two attempts.
		"fails fast": {func(tr job.Trigger) (job.Outcome, time.Duration) {
			if tr.Attempt < 2 {
				return job.Failed, 0
			}
			return job.Handled, 0
		}, 1 + 2},
		"is lost": {func() func(job.Trigger) (job.Outcome, time.Duration) {
			lost := false
			return func(job.Trigger) (job.Outcome, time.Duration) {
				if !lost {
					lost = true
					return job.Lost, time.Minute
				}
				return job.Handled, 0
			}
		}(), 60},
		"handles": {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				late, byApp := delays(t, &app{answer: test.answer}, func(e *engine.Engine) {
					spec := once(time.Now().Add(time.Second))
					spec.Policy = job.DefaultPolicy()
					mustSchedule(t, e, key("app", "a"), spec)
					time.Sleep(time.Hour)
				})
				if late != 0 || byApp != test.byApp {
					t.Errorf("late by %v s and delayed by the app by %v s, want 0 and %v", late, byApp, test.byApp)
				}
			})
		})
	}
}

// An app that takes five seconds for a job that is due each second makes all but the first late, itself.
func TestLatenessExcludesSlowApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{answer: func(job.Trigger) (job.Outcome, time.Duration) { return job.Handled, 5 * time.Second }}
		late, byApp := delays(t, a, func(e *engine.Engine) {
			mustSchedule(t, e, key("app", "tick"), every(time.Now().Add(time.Second), time.Second))
			time.Sleep(12*time.Second + time.Millisecond)
		})
		// Due a second after the first left; and while the second was out, as it had been before.
		if late != 0 || byApp != 4+5 {
			t.Errorf("late by %v s and delayed by the app by %v s, want 0 and 9", late, byApp)
		}
	})
}

// An absentApp has no room before it is there.
type absentApp struct {
	app
	there atomic.Bool
	some  atomic.Int32 // how many it takes before it is away again; 0: no end
	room  func(int)
}

func (a *absentApp) Deliver(t job.Trigger, done func(job.Outcome), room func(int)) bool {
	if !a.there.Load() {
		a.room = room
		return false
	}
	if a.some.Add(-1) == 0 {
		a.there.Store(false)
	}
	return a.app.Deliver(t, done, room)
}

func TestLatenessExcludesAbsentApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &absentApp{}
		late, byApp := delays(t, a, func(e *engine.Engine) {
			for i := range 100 {
				mustSchedule(t, e, key("app", strconv.Itoa(i)), once(time.Now().Add(time.Second)))
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			a.there.Store(true)
			a.room(1000)
			time.Sleep(time.Second)
			if got := len(a.triggers(t)); got != 100 {
				t.Errorf("%d triggers came, want 100", got)
			}
		})
		if late != 0 || byApp != 0 {
			t.Errorf("late by %v s and delayed by the app by %v s, want 0 and 0", late, byApp)
		}
	})
}

// How long a job was due before it was scheduled says nothing about the scheduler, and would be all that the sum shows.
func TestLatenessStartsAtScheduling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late, byApp := delays(t, &app{}, func(e *engine.Engine) {
			mustSchedule(t, e, key("app", "ancient"), once(time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)))
			mustSchedule(t, e, key("app", "yesterday"), once(time.Now().Add(-24*time.Hour)))
			time.Sleep(time.Second)
		})
		if late != 0 || byApp != 0 {
			t.Errorf("late by %v s and delayed by the app by %v s, want 0 and 0", late, byApp)
		}
	})
}

// After a restart nobody knows when a job was scheduled. What a scheduler missed while it was down is lateness.
func TestLatenessAfterRestartIsAtMostADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		s := open(t, disk)
		e, stop := run(t, s, &absentApp{}, engine.Config{Partitions: 1})
		mustSchedule(t, e, key("app", "ancient"), once(time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)))
		mustSchedule(t, e, key("app", "soon"), once(time.Now().Add(time.Second)))
		stop()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + time.Second)
		s, r := open(t, disk), prometheus.NewRegistry()
		defer s.Close()
		_, stop = run(t, s, &app{}, engine.Config{Partitions: 1, Metrics: r})
		defer stop()
		time.Sleep(time.Second)
		if late := figure(t, r, "carillon_lateness_seconds"); late < 86400+3600 || late > 86400+3601 {
			t.Errorf("late by %v s together, want a day and an hour", late)
		}
	})
}

// A lane waits for its sidecar after a restart. That is not the scheduler's lateness, but what it missed before is.
func TestLatenessIncludesTimeBeforeParking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		s := open(t, disk)
		e, stop := run(t, s, &absentApp{}, engine.Config{Partitions: 1})
		mustSchedule(t, e, key("app", "missed"), once(time.Now().Add(time.Minute)))
		stop()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + time.Minute)
		s, r, a := open(t, disk), prometheus.NewRegistry(), &absentApp{}
		defer s.Close()
		_, stop = run(t, s, a, engine.Config{Partitions: 1, Metrics: r})
		defer stop()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		a.there.Store(true)
		a.room(10)
		time.Sleep(time.Second)
		if late := figure(t, r, "carillon_lateness_seconds"); late < 3600 || late > 3601 {
			t.Errorf("late by %v s, want the hour in which the scheduler was off", late)
		}
	})
}

func TestLatenessExcludesAppAbsentTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &absentApp{}
		late, _ := delays(t, a, func(e *engine.Engine) {
			for i := range 4 {
				mustSchedule(t, e, key("app", strconv.Itoa(i)), once(time.Now().Add(time.Second)))
			}
			for range 2 {
				time.Sleep(time.Hour)
				synctest.Wait()
				a.some.Store(2)
				a.there.Store(true)
				a.room(2)
				time.Sleep(time.Second)
				synctest.Wait()
			}
			if got := len(a.triggers(t)); got != 4 {
				t.Errorf("%d triggers came, want 4", got)
			}
		})
		if late != 0 {
			t.Errorf("late by %v s, want 0", late)
		}
	})
}

// A namespace that has used up its triggers waits for its quota, not for the scheduler.
func TestLatenessExcludesQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := open(t, vfs.NewMem()), prometheus.NewRegistry()
		defer s.Close()
		a := &app{}
		e, stop := run(t, s, a, engine.Config{Partitions: 1, Metrics: r, TriggerRate: 10})
		defer stop()
		due := time.Now().Add(time.Second)
		for i := range 100 {
			mustSchedule(t, e, key("app", strconv.Itoa(i)), once(due))
		}
		time.Sleep(time.Minute)
		if got := len(a.triggers(t)); got != 100 {
			t.Fatalf("%d triggers came, want 100", got)
		}
		if late := figure(t, r, "carillon_lateness_seconds"); late > 1 {
			t.Errorf("late by %v s together, want next to nothing", late)
		}
	})
}
