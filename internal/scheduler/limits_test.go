package scheduler_test

import (
	"slices"
	"testing"
	"testing/synctest"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// limitOf limits the actor type T, or a key of it.
func limitOf(name *string, most int32) *schedulerv1.ConcurrencyLimit {
	target := &schedulerv1.ConcurrencyLimit_Actor{Actor: &schedulerv1.ConcurrencyLimitActor{Type: "T"}}
	return &schedulerv1.ConcurrencyLimit{MaxConcurrent: most, Name: name, Target: target}
}

// deliverKeyed hands over a reminder with a concurrency key.
func (e *engine) deliverKeyed(t *testing.T, target job.Target, key, name string) {
	t.Helper()
	trig := job.Trigger{Key: job.Key{Target: target, ActorID: "id", Name: name}, AppID: "app", ConcurrencyKey: &key}
	if !e.n.dispatch.Deliver(trig, func(job.Outcome) {}, nil) {
		t.Errorf("%q was refused", name)
	}
}

// A sidecar sends its limits on each of its streams, whatever that stream accepts.
func TestLimitsHoldOverAllStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		e := newEngine(n)
		limited := func(i *schedulerv1.WatchJobsRequestInitial) schedulerv1.Scheduler_WatchJobsClient {
			i.ConcurrencyLimits = []*schedulerv1.ConcurrencyLimit{
				limitOf(nil, 2), limitOf(new("x"), 1), limitOf(new("y"), 0), {MaxConcurrent: 1},
			}
			return n.watch(t, i)
		}
		jobs := hello("ns", "app")
		jobs.AcceptJobTypes = []schedulerv1.JobTargetType{acceptJob}
		limited(jobs)
		reminders := limited(hello("ns", "app", "T"))
		synctest.Wait()
		var got []string
		for _, name := range []string{"x1", "x2", "x3", "y1", "y2"} {
			e.deliverKeyed(t, actorTarget("ns", "T"), name[:1], name)
		}
		for range 5 {
			synctest.Wait()
			if d := n.dispatch.Stats(); d.InFlight-d.Held > 2 {
				t.Errorf("%d are in flight, want 2 at most", d.InFlight-d.Held)
			}
			m := recv(t, reminders)
			got = append(got, m.GetName())
			if len(got) > 1 { // one behind, so that two are in flight
				send(t, reminders, wire.Result(m.GetId()-1, job.Handled))
			}
		}
		if want := []string{"x1", "y1", "x2", "y2", "x3"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
