package scheduler_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/bulkv1"
)

// bulk schedules jobs by one call.
func (n *node) bulk(t *testing.T, jobs ...*schedulerv1.ScheduleJobRequest) (*bulkv1.ScheduleJobsResponse, error) {
	t.Helper()
	return bulkv1.NewBulkClient(n.conn).ScheduleJobs(t.Context(), bulkOf(jobs...))
}

func bulkOf(jobs ...*schedulerv1.ScheduleJobRequest) *bulkv1.ScheduleJobsRequest {
	return &bulkv1.ScheduleJobsRequest{Jobs: jobs}
}

// due returns a request for a job that is due in an hour; its data identifies it among those of its
// name.
func due(name, data string) *schedulerv1.ScheduleJobRequest {
	return &schedulerv1.ScheduleJobRequest{
		Name: name, Metadata: jobMetadata("ns", "app"), Overwrite: data != "",
		Job: &schedulerv1.Job{DueTime: new("1h"), Data: &anypb.Any{Value: []byte(data)}},
	}
}

func wantRefused(t *testing.T, got *bulkv1.ScheduleJobsResponse, err error, want ...*bulkv1.Refusal) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.GetRefused(), protocmp.Transform()); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}

func refusal(t *testing.T, index int, err error) *bulkv1.Refusal {
	t.Helper()
	if err == nil {
		t.Fatalf("job %d was not refused", index)
	}
	s := status.Convert(err)
	return &bulkv1.Refusal{Index: uint32(index), Code: int32(s.Code()), Message: s.Message()}
}

func TestBulkAnswersEachJobAsCallWould(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		bad := []*schedulerv1.ScheduleJobRequest{
			{Name: "a", Metadata: jobMetadata("", "app"), Job: new(schedulerv1.Job)},
			{Name: "a", Metadata: jobMetadata("ns", "app")},
			{Name: "a", Metadata: jobMetadata("ns", "app"), Job: &schedulerv1.Job{Schedule: new("@never")}},
			{Name: "a/b", Metadata: jobMetadata("ns", "app"), Job: &schedulerv1.Job{DueTime: new("1h")}},
			{Name: "a"},
			due("good", ""),
		}
		if _, err := n.ScheduleJob(t.Context(), due("good", "")); err != nil {
			t.Fatal(err)
		}
		var want []*bulkv1.Refusal
		var all []*schedulerv1.ScheduleJobRequest
		for i, r := range bad {
			_, err := n.ScheduleJob(t.Context(), r)
			want = append(want, refusal(t, 2*i+1, err))
			all = append(all, due(fmt.Sprint("good", i), ""), r)
		}
		got, err := n.bulk(t, all...)
		wantRefused(t, got, err, want...)
		got, err = n.bulk(t)
		wantRefused(t, got, err)
		got, err = n.bulk(t, due("last", ""))
		wantRefused(t, got, err)
		if got, want := len(n.jobs.jobs), len(bad)+2; got != want {
			t.Errorf("%d jobs are stored, want %d", got, want)
		}
	})
}

func TestLastJobOfSameNameInBulkWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runEngine(t)
		const each = 1000
		var jobs []*schedulerv1.ScheduleJobRequest
		for i := range each {
			jobs = append(jobs, due("one", fmt.Sprint(i)))
		}
		answer, err := n.bulk(t, jobs...)
		wantRefused(t, answer, err)
		got, err := n.GetJob(t.Context(), &schedulerv1.GetJobRequest{Name: "one", Metadata: jobMetadata("ns", "app")})
		if want := fmt.Sprint(each - 1); err != nil || string(got.GetJob().GetData().GetValue()) != want {
			t.Errorf("the job is %s, want %s; %v", got.GetJob().GetData().GetValue(), want, err)
		}
	})
}

func TestBulkCallWithTooManyJobsStoresNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		var jobs []*schedulerv1.ScheduleJobRequest
		for i := range 1001 {
			jobs = append(jobs, due(fmt.Sprint(i), ""))
		}
		_, err := n.bulk(t, jobs...)
		wantStatus(t, "a call with 1,001 jobs", err, codes.InvalidArgument,
			"the call has 1001 jobs, and at most 1000 are accepted: make several calls")
		if got := len(n.jobs.jobs); got != 0 {
			t.Errorf("%d jobs are stored, want none", got)
		}
		answer, err := n.bulk(t, jobs[:1000]...)
		wantRefused(t, answer, err)
	})
}

func TestStoppingServerAnswersBegunBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		n.jobs.hold = make(chan struct{})
		answered := make(chan error, 1)
		go func() {
			_, err := n.bulk(t, due("a", ""))
			answered <- err
		}()
		synctest.Wait()
		n.stop()
		time.Sleep(time.Second)
		close(n.jobs.hold)
		if err := <-answered; err != nil {
			t.Errorf("a call that had begun: %v", err)
		}
		n.end(t)
	})
}

func TestHangingBulkDoesNotBlockStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		n.jobs.hold = make(chan struct{})
		for i := range 20 {
			go func() { _, _ = n.bulk(t, due(fmt.Sprint(i), "")) }()
		}
		synctest.Wait()
		before := time.Now()
		n.stop()
		n.end(t)
		if took := time.Since(before); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestCanceledBulkLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		n.jobs.hold = make(chan struct{})
		ctx, leave := context.WithCancel(t.Context())
		go func() { _, _ = bulkv1.NewBulkClient(n.conn).ScheduleJobs(ctx, bulkOf(due("a", ""))) }()
		synctest.Wait()
		leave()
		synctest.Wait()
		before := time.Now()
		n.stop()
		n.end(t)
		if took := time.Since(before); took > 0 {
			t.Errorf("the server took %v to stop", took)
		}
	})
}

func TestPanicFailsOnlyItsBulkCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		_, err := n.bulk(t, due("a", "panic"))
		wantStatus(t, "a panic", err, codes.Internal, "internal error of the scheduler: its log says more")
		answer, err := n.bulk(t, due("a", ""))
		wantRefused(t, answer, err)
	})
}
