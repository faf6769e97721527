package app_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestReminderOverwrittenInFlightIsRedelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startScheduler(t, vfs.NewMem())
		defer p.stop()
		w := p.watch("app", []string{"T"}, nil)
		meta := actorMeta("app", "T", "id")
		meta.ConcurrencyKey = new("workflow")
		past := time.Now().Add(-time.Second).Format(time.RFC3339Nano)
		p.schedule("new-event-1", meta, &schedulerv1.Job{DueTime: &past, Data: &anypb.Any{Value: []byte("1")}, FailurePolicy: forEver()})
		synctest.Wait()
		p.schedule("new-event-1", meta, &schedulerv1.Job{DueTime: &past, Data: &anypb.Any{Value: []byte("2")}, FailurePolicy: forEver()})
		synctest.Wait()
		w.result(1, success) // for the first version
		synctest.Wait()
		if !p.exists("new-event-1", meta) {
			t.Error("the late result of the first version removed the second")
		}
		w.mu.Lock()
		got := slices.Clone(w.got)
		w.mu.Unlock()
		if len(got) != 2 || string(got[1].GetData().GetValue()) != "2" || got[1].GetMetadata().GetConcurrencyKey() != "workflow" ||
			got[1].GetMetadata().GetTarget().GetActor().GetId() != "id" || got[1].GetMetadata().GetAppId() != "app" {
			t.Fatalf("the stream received %v", got)
		}
		w.result(2, success)
		synctest.Wait()
		if p.exists("new-event-1", meta) {
			t.Error("the second version is done and still there")
		}
	})
}

func TestUnlimitedRetriesContinueAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		p := startScheduler(t, disk)
		w := p.watch("app", []string{"T"}, always(failed))
		due := time.Now().Format(time.RFC3339Nano)
		p.schedule("run-activity", actorMeta("another app", "T", "wf::0::1"), &schedulerv1.Job{DueTime: &due, FailurePolicy: forEver()})
		time.Sleep(60500 * time.Millisecond)
		if got := len(w.names()); got != 61 {
			t.Errorf("%d deliveries in a minute, want 61", got)
		}
		p.stop()
		p = startScheduler(t, disk)
		defer p.stop()
		w = p.watch("app", []string{"T"}, always(failed))
		time.Sleep(10 * time.Second)
		if got := len(w.names()); got != 10 {
			t.Errorf("%d deliveries in ten seconds after a restart, want 10", got)
		}
	})
}

func TestTriggerIsRedeliveredAfterStreamLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startScheduler(t, vfs.NewMem())
		defer p.stop()
		first, second := p.watch("app", nil, nil), p.watch("app", nil, nil)
		for i := range 6 {
			p.schedule(fmt.Sprint("job", i), jobMeta("app"), &schedulerv1.Job{DueTime: new("1s")})
		}
		time.Sleep(time.Second)
		if a, b := len(first.names()), len(second.names()); a != 3 || b != 3 {
			t.Errorf("the streams received %d and %d triggers, want 3 each", a, b)
		}
		first.cancel()
		if got := len(second.names()); got != 3 {
			t.Errorf("the survivor received %d more, want the 3 of the lost stream, at once", got)
		}
	})
}

func TestJobWaitsForItsApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startScheduler(t, vfs.NewMem())
		defer p.stop()
		other := p.watch("other", nil, always(success))
		p.schedule("once", jobMeta("app"), &schedulerv1.Job{DueTime: new("1s"), FailurePolicy: &commonv1.JobFailurePolicy{
			Policy: &commonv1.JobFailurePolicy_Drop{Drop: &commonv1.JobFailurePolicyDrop{}},
		}})
		p.schedule("often", jobMeta("app"), &schedulerv1.Job{Schedule: new("@every 500ms")})
		p.schedule("tick", jobMeta("other"), &schedulerv1.Job{Schedule: new("@every 1s")})
		time.Sleep(5 * time.Second)
		if got := len(other.names()); got != 5 {
			t.Errorf("the app that is there received %d ticks, want 5", got)
		}
		begin := time.Now()
		w := p.watch("app", nil, always(success))
		if got := len(w.names()); got != 11 || time.Since(begin) != 0 {
			t.Errorf("when it appeared, the app received %d triggers in %v, want 11 at once", got, time.Since(begin))
		}
	})
}

func TestHungSidecarDelaysOnlyItsOwnJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startScheduler(t, vfs.NewMem())
		defer p.stop()
		hung := p.watch("hung", nil, nil)
		well := p.watch("well", nil, always(success))
		for i := range 100 {
			p.schedule(fmt.Sprint("job", i), jobMeta("hung"), &schedulerv1.Job{Schedule: new("@every 1s")})
		}
		p.schedule("tick", jobMeta("well"), &schedulerv1.Job{Schedule: new("@every 1s")})
		time.Sleep(time.Minute)
		if got := len(hung.names()); got != 100 {
			t.Errorf("the hung sidecar received %d triggers, want one of each job", got)
		}
		if got := len(well.names()); got != 60 {
			t.Errorf("the other received %d, want 60", got)
		}
	})
}

func TestLateRepeatedOrUnknownResultIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startScheduler(t, vfs.NewMem())
		defer p.stop()
		w := p.watch("app", nil, nil)
		p.schedule("tick", jobMeta("app"), &schedulerv1.Job{Schedule: new("@every 1s"), Repeats: new(uint32(3))})
		time.Sleep(time.Second)
		synctest.Wait()
		w.result(77, failed)
		w.result(1, success)
		w.result(1, success)
		w.result(1, failed)
		synctest.Wait()
		time.Sleep(5 * time.Second)
		if got := w.names(); len(got) != 2 {
			t.Errorf("%d ticks, want the first and, unanswered, the second", len(got))
		}
		w.result(2, success)
		if got := w.names(); len(got) != 1 || !p.exists("tick", jobMeta("app")) {
			t.Errorf("after the second, the third tick is to be out: received %v", got)
		}
		w.result(3, success)
		if got := w.names(); len(got) != 0 || p.exists("tick", jobMeta("app")) {
			t.Errorf("after three ticks the job is to be gone: received %v", got)
		}
	})
}

func TestOneShotFiresOnceAcrossReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startScheduler(t, vfs.NewMem())
		defer p.stop()
		handled := 0
		for range 1000 {
			w := p.watch("app", nil, always(success))
			if handled == 0 {
				p.schedule("once", jobMeta("app"), &schedulerv1.Job{DueTime: new("0s")})
			}
			handled += len(w.names())
			w.cancel()
			synctest.Wait()
		}
		if handled != 1 {
			t.Errorf("it fired %d times, want once", handled)
		}
	})
}

func TestInvalidRequestWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startScheduler(t, vfs.NewMem())
		defer p.stop()
		_, err := p.ScheduleJob(t.Context(), &schedulerv1.ScheduleJobRequest{Name: "a", Metadata: jobMeta("app")})
		if err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("a request without a job: %v", err)
		}
		w := p.watch("app", nil, always(success))
		p.schedule("b", jobMeta("app"), &schedulerv1.Job{DueTime: new("0s")})
		if got := w.names(); len(got) != 1 {
			t.Errorf("afterwards the node delivered %v", got)
		}
	})
}

func TestCompletedWorkflowDeletesItsReminders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startScheduler(t, vfs.NewMem())
		defer p.stop()
		const workflow, activity = "dapr.internal.ns.app.workflow", "dapr.internal.ns.app.activity"
		later := &schedulerv1.Job{DueTime: new("1h"), FailurePolicy: forEver()}
		for _, instance := range []string{"wf1", "wf10"} {
			p.schedule("timer-1", actorMeta("app", workflow, instance), later)
			for n := range 3 {
				p.schedule("run-activity", actorMeta("app", activity, fmt.Sprintf("%s::%d::1", instance, n)), later)
			}
		}
		p.schedule("other", jobMeta("app"), later)
		for _, r := range []*schedulerv1.DeleteByMetadataRequest{
			{Metadata: actorMeta("app", workflow, "wf1")},
			{Metadata: actorMeta("app", activity, "wf1::"), IdPrefixMatch: new(true)},
		} {
			if _, err := p.DeleteByMetadata(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		list := func(meta *schedulerv1.JobMetadata) (ids []string) {
			l, err := p.ListJobs(t.Context(), &schedulerv1.ListJobsRequest{Metadata: meta})
			if err != nil {
				t.Fatal(err)
			}
			for _, j := range l.GetJobs() {
				ids = append(ids, j.GetMetadata().GetTarget().GetActor().GetId()+"/"+j.GetName())
			}
			return ids
		}
		for _, c := range []struct {
			meta *schedulerv1.JobMetadata
			want []string
		}{
			{actorMeta("app", workflow, ""), []string{"wf10/timer-1"}},
			{actorMeta("app", activity, ""), []string{"wf10::0::1/run-activity", "wf10::1::1/run-activity", "wf10::2::1/run-activity"}},
			{jobMeta("app"), []string{"/other"}},
		} {
			if got := list(c.meta); !slices.Equal(got, c.want) {
				t.Errorf("left of %v: %v, want %v", c.meta.GetTarget(), got, c.want)
			}
		}
		w := p.watch("app", []string{workflow, activity}, always(success))
		time.Sleep(2 * time.Hour)
		if got := w.names(); len(got) != 5 {
			t.Errorf("%v fired, want the five that are left", got)
		}
	})
}
