package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	"carillon/internal/job"
)

// bulk opens a stream that schedules.
func (n *node) bulk(t *testing.T) bulkv1.Bulk_ScheduleClient {
	t.Helper()
	stream, err := bulkv1.NewBulkClient(n.conn).Schedule(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func bulkOf(jobs ...*schedulerv1.ScheduleJobRequest) *bulkv1.ScheduleRequest {
	return &bulkv1.ScheduleRequest{Jobs: jobs}
}

// due returns a request for a job that is due in an hour; its data identifies it among those of its
// name.
func due(name, data string) *schedulerv1.ScheduleJobRequest {
	return &schedulerv1.ScheduleJobRequest{
		Name: name, Metadata: jobMetadata("ns", "app"), Overwrite: data != "",
		Job: &schedulerv1.Job{DueTime: new("1h"), Data: &anypb.Any{Value: []byte(data)}},
	}
}

func sendBulk(t *testing.T, stream bulkv1.Bulk_ScheduleClient, m *bulkv1.ScheduleRequest) {
	t.Helper()
	if err := stream.Send(m); err != nil {
		t.Fatal(err)
	}
}

func wantRefused(t *testing.T, stream bulkv1.Bulk_ScheduleClient, want ...*bulkv1.Refusal) {
	t.Helper()
	got, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.GetRefused(), protocmp.Transform()); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
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
		stream := n.bulk(t)
		sendBulk(t, stream, bulkOf(all...))
		sendBulk(t, stream, bulkOf())
		sendBulk(t, stream, bulkOf(due("last", "")))
		wantRefused(t, stream, want...)
		wantRefused(t, stream)
		wantRefused(t, stream)
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("after the client has closed its side: %v, want a good end", err)
		}
		if got, want := len(n.jobs.jobs), len(bad)+2; got != want {
			t.Errorf("%d jobs are stored, want %d", got, want)
		}
	})
}

func refusal(t *testing.T, index int, err error) *bulkv1.Refusal {
	t.Helper()
	if err == nil {
		t.Fatalf("job %d was not refused", index)
	}
	s := status.Convert(err)
	return &bulkv1.Refusal{Index: uint32(index), Code: int32(s.Code()), Message: s.Message()}
}

func TestLastJobOfSameNameInBulkWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runEngine(t)
		stream := n.bulk(t)
		const messages, each = 20, 50
		for m := range messages {
			var jobs []*schedulerv1.ScheduleJobRequest
			for i := range each {
				jobs = append(jobs, due("one", fmt.Sprint(m*each+i)))
			}
			sendBulk(t, stream, bulkOf(jobs...))
		}
		for range messages {
			wantRefused(t, stream)
		}
		got, err := n.GetJob(t.Context(), &schedulerv1.GetJobRequest{Name: "one", Metadata: jobMetadata("ns", "app")})
		if want := fmt.Sprint(messages*each - 1); err != nil || string(got.GetJob().GetData().GetValue()) != want {
			t.Errorf("the job is %s, want %s; %v", got.GetJob().GetData().GetValue(), want, err)
		}
	})
}

func TestMessageOfTooManyJobsEndsItsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		stream := n.bulk(t)
		var jobs []*schedulerv1.ScheduleJobRequest
		for i := range 1000 {
			jobs = append(jobs, due(fmt.Sprint(i), ""))
		}
		sendBulk(t, stream, bulkOf(jobs...))
		sendBulk(t, stream, bulkOf(append(jobs, due("more", ""))...))
		wantRefused(t, stream)
		_, err := stream.Recv()
		wantStatus(t, "a message of 1,001 jobs", err, codes.InvalidArgument,
			"a message has 1001 jobs, and at most 1000 are accepted: send several messages")
		if got := len(n.jobs.jobs); got != 1000 {
			t.Errorf("%d jobs are stored, want the first message's 1000", got)
		}
	})
}

func TestBulkStreamLimitsMessagesInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		hold := make(chan struct{})
		n.jobs.hold = hold
		stream := n.bulk(t)
		sent := make(chan error, 1)
		payload := string(make([]byte, 1<<20))
		const messages = 30
		go func() {
			var err error
			for i := 0; i < messages && err == nil; i++ {
				err = stream.Send(bulkOf(due(fmt.Sprint(i), payload)))
			}
			sent <- err
		}()
		synctest.Wait()
		n.jobs.mu.Lock()
		if got := len(n.jobs.jobs); got > 10 { // eight that wait, one that is answered, one that is begun
			t.Errorf("%d messages are in work, and no answer has left", got)
		}
		n.jobs.mu.Unlock()
		close(hold)
		for range messages {
			wantRefused(t, stream)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}

func TestStoppingServerAnswersBegunBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		hold := make(chan struct{})
		n.jobs.hold = hold
		idle, busy := n.bulk(t), n.bulk(t)
		sendBulk(t, busy, bulkOf(due("a", "")))
		synctest.Wait()
		n.stop()
		synctest.Wait()
		if _, err := idle.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("an idle stream ends with %v, want a good end", err)
		}
		_ = busy.Send(bulkOf(due("late", "")))
		time.Sleep(time.Second)
		close(hold)
		wantRefused(t, busy)
		if _, err := busy.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("a busy stream ends with %v, want a good end", err)
		}
		n.end(t)
		if _, late := n.jobs.jobs[job.Key{Target: appTarget("ns", "app"), Name: "late"}]; late {
			t.Error("what came after the server had begun to stop was stored, and not answered")
		}
	})
}

func TestHangingBulkDoesNotBlockStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		n.jobs.hold = make(chan struct{})
		for i := range 20 {
			sendBulk(t, n.bulk(t), bulkOf(due(fmt.Sprint(i), "")))
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
		stream, err := bulkv1.NewBulkClient(n.conn).Schedule(ctx)
		if err != nil {
			t.Fatal(err)
		}
		sendBulk(t, stream, bulkOf(due("a", "")))
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

func TestPanicEndsOnlyItsBulkStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		stream := n.bulk(t)
		sendBulk(t, stream, bulkOf(due("a", "panic")))
		_, err := stream.Recv()
		wantStatus(t, "a panic", err, codes.Internal, "internal error of the scheduler: its log says more")
		again := n.bulk(t)
		sendBulk(t, again, bulkOf(due("a", "")))
		wantRefused(t, again)
	})
}
