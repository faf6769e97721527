package engine_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/engine"
	"carillon/internal/job"
)

// countOf returns how many triggers of each target of a namespace have come.
func countOf(t *testing.T, a *app, namespace string) (all int, by map[string]int) {
	t.Helper()
	by = map[string]int{}
	for _, tr := range a.triggers(t) {
		if tr.Key.Target.Namespace == namespace {
			all++
			by[tr.Key.Target.Name]++
		}
	}
	return all, by
}

// TestQuotaDelaysAndLosesNothing has a namespace with more due than its quota, and one with little.
// Loops share one quota, and each shares out what it gets of it among its own apps.
func TestQuotaDelaysAndLosesNothing(t *testing.T) {
	for _, loops := range []int{1, 2} {
		t.Run(fmt.Sprint(loops, " loops"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testQuotaOfTriggers(t, loops) })
		})
	}
}

func testQuotaOfTriggers(t *testing.T, loops int) {
	const rate, apps, each = 100, 10, 60
	reg := prometheus.NewRegistry()
	a, db := &app{}, open(t, vfs.NewMem())
	e, stop := run(t, db, a, engine.Config{Loops: loops, TriggerRate: rate, Metrics: reg})
	due := time.Now().Add(time.Second)
	for i := range apps * each {
		mustSchedule(t, e, key(fmt.Sprint("app", i%apps), fmt.Sprint(i)), once(due))
	}
	for i := range 80 {
		k := key("quiet", fmt.Sprint(i))
		k.Target.Namespace = "other"
		mustSchedule(t, e, k, once(due.Add(time.Duration(i)*100*time.Millisecond)))
	}
	time.Sleep(time.Until(due))
	for after := time.Duration(0); after < 5*time.Second; after += 100 * time.Millisecond {
		synctest.Wait()
		all, by := countOf(t, a, "ns")
		most := rate + int(rate*after/time.Second)
		if all > most {
			t.Errorf("%v after they were due %d have come, want %d at most", after, all, most)
		}
		for name, n := range by {
			if share := all / apps; loops == 1 && (n > share+32 || n < share-32) {
				t.Errorf("%v after they were due %s has got %d, want about %d", after, name, n, share)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(5 * time.Second)
	if all, _ := countOf(t, a, "ns"); all != apps*each {
		t.Errorf("%d have come, want all of %d", all, apps*each)
	}
	if all, _ := countOf(t, a, "other"); all != 80 || a.latest("quiet") > time.Millisecond {
		t.Errorf("of the other namespace %d of 80 have come, %v late, want all in time", all, a.latest("quiet"))
	}
	// What a lane has due leaves together: a few more wait where the quota suffices for some of it only.
	if got := valueOf(t, reg, "carillon_quota_delayed_triggers_total"); got < apps*each-rate || got > apps*each-rate+16 {
		t.Errorf("%v are counted as delayed, want %d to %d", got, apps*each-rate, apps*each-rate+16)
	}
	stop()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// TestQuotaAppliesToOneJob has jobs that are always due, of which some fail: each attempt counts.
func TestQuotaAppliesToOneJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 50
		a := &app{answer: func(tr job.Trigger) (job.Outcome, time.Duration) {
			if tr.Key.Name == "fails" {
				return job.Failed, 0
			}
			return job.Handled, 0
		}}
		db := open(t, vfs.NewMem())
		e, stop := run(t, db, a, engine.Config{Loops: 1, TriggerRate: rate})
		s := every(time.Now(), time.Millisecond)
		s.Policy = job.Policy{}
		for _, name := range []string{"fails", "a", "b"} {
			mustSchedule(t, e, key("app", name), s)
		}
		time.Sleep(20 * time.Second)
		all, _ := countOf(t, a, "ns")
		if want := 21 * rate; all > want || all < want-rate {
			t.Errorf("%d triggers have come in 20 s, want %d or a few less", all, want)
		}
		names := map[string]int{}
		for _, tr := range a.triggers(t) {
			names[tr.Key.Name]++
		}
		for name, n := range names {
			if n < all/4 {
				t.Errorf("%s has come %d times of %d, want about a third", name, n, all)
			}
		}
		// What was promised to jobs that are gone is there for others.
		if err := e.DeleteAll(t.Context(), job.Prefix{Kind: job.App, Namespace: "ns", Parts: []string{"app"}}); err != nil {
			t.Error(err)
		}
		time.Sleep(1500 * time.Millisecond)
		begin := time.Now()
		for i := range rate {
			mustSchedule(t, e, key("late", fmt.Sprint(i)), once(begin.Add(time.Second)))
		}
		time.Sleep(2 * time.Second)
		if a.latest("late") > time.Millisecond {
			t.Errorf("after the flood jobs are %v late, want none", a.latest("late"))
		}
		stop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}
