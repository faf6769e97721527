package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"carillon/internal/job"
)

func inAnHour() *schedulerv1.Job { return &schedulerv1.Job{DueTime: new("1h")} }

func TestRequestReportsFirstError(t *testing.T) {
	n := run(t)
	meta := jobMetadata("ns", "app")
	noTarget := &schedulerv1.JobMetadata{Namespace: "ns", AppId: "app"}
	long := strings.Repeat("x", 512)
	never := &schedulerv1.Job{DueTime: new("rubbish")}
	for what, tc := range map[string]struct {
		name string
		meta *schedulerv1.JobMetadata
		job  *schedulerv1.Job
		code codes.Code
		text string // a text that ends in … has more to it
	}{
		"no caller":  {"a/b", nil, never, codes.InvalidArgument, "missing namespace or appID in request"},
		"no ns":      {"a/b", jobMetadata("", "app"), never, codes.InvalidArgument, "missing namespace or appID in request"},
		"no app":     {"a/b", jobMetadata("ns", ""), never, codes.InvalidArgument, "missing namespace or appID in request"},
		"no target":  {"a/b", noTarget, never, codes.Unknown, "unknown job type: <nil>"},
		"slash":      {"a/b", meta, never, codes.Unknown, `job name is invalid "app||ns||app||a/b": must not contain '/', '\', '#' or '?': the name of the job is "a/b": leave out the '/', or write a hyphen`},
		"control":    {"a\nb", meta, never, codes.Unknown, `job name is invalid "app||ns||app||a\nb": must not contain control characters: the name of the job is "a\nb": leave out the '\n', or write a hyphen`},
		"long":       {long, meta, nil, codes.Unknown, `job name is invalid "app||ns||app||` + long + `": must be at most 512 characters: the name of the job has 512 bytes: shorten it by 14`},
		"no job":     {"ab", meta, nil, codes.InvalidArgument, "missing job in request"},
		"wrong job":  {"ab", meta, never, codes.Unknown, "job failed validation: …"},
		"wrong wait": {"ab", meta, forever(), codes.Unknown, "job failed validation: …"},
	} {
		_, err := n.ScheduleJob(t.Context(), &schedulerv1.ScheduleJobRequest{Name: tc.name, Metadata: tc.meta, Job: tc.job})
		text, more := strings.CutSuffix(tc.text, "…")
		if got := status.Convert(err).Message(); more && strings.HasPrefix(got, text) {
			text = got
		}
		wantStatus(t, what+", schedule", err, tc.code, text)
		if strings.HasSuffix(what, "job") || more {
			continue // only scheduling looks at the job
		}
		_, err = n.GetJob(t.Context(), &schedulerv1.GetJobRequest{Name: tc.name, Metadata: tc.meta})
		wantStatus(t, what+", get", err, tc.code, tc.text)
		_, err = n.DeleteJob(t.Context(), &schedulerv1.DeleteJobRequest{Name: tc.name, Metadata: tc.meta})
		wantStatus(t, what+", delete", err, tc.code, tc.text)
	}
	if len(n.jobs.jobs) > 0 {
		t.Errorf("stored %v", n.jobs.jobs)
	}
}

// forever is a job whose retries are further apart than we can count.
func forever() *schedulerv1.Job {
	c := &commonv1.JobFailurePolicyConstant{Interval: &durationpb.Duration{Seconds: 1 << 60}}
	policy := &commonv1.JobFailurePolicy{Policy: &commonv1.JobFailurePolicy_Constant{Constant: c}}
	return &schedulerv1.Job{DueTime: new("1h"), FailurePolicy: policy}
}

func TestGetReturnsJobAsScheduled(t *testing.T) {
	n := run(t)
	before := time.Now().Truncate(time.Second)
	for name, meta := range map[string]*schedulerv1.JobMetadata{
		"":              jobMetadata("ns", "app"), // an empty name is one
		"my||job@name ": jobMetadata("ns", "app"),
		"reminder":      actorMetadata("ns", "app", "type", "a||b"),
	} {
		j := inAnHour()
		j.Data = &anypb.Any{Value: []byte("no type")}
		_, err := n.ScheduleJob(t.Context(), &schedulerv1.ScheduleJobRequest{Name: name, Metadata: meta, Job: j})
		if err != nil {
			t.Errorf("schedule %q: %v", name, err)
			continue
		}
		got, err := n.GetJob(t.Context(), &schedulerv1.GetJobRequest{Name: name, Metadata: meta})
		if err != nil {
			t.Errorf("get %q: %v", name, err)
			continue
		}
		constant := &commonv1.JobFailurePolicyConstant{Interval: durationpb.New(time.Second), MaxRetries: new(uint32(3))}
		j.FailurePolicy = &commonv1.JobFailurePolicy{Policy: &commonv1.JobFailurePolicy_Constant{Constant: constant}}
		if diff := cmp.Diff(j, got.GetJob(), protocmp.Transform()); diff != "" {
			t.Errorf("%q: -want +got\n%s", name, diff)
		}
		for k, spec := range n.jobs.jobs {
			if first := spec.Plan.First; first.Before(before.Add(time.Hour)) || first.After(time.Now().Add(time.Hour)) {
				t.Errorf("%v is due at %v, want an hour after %v", k, first, before)
			}
		}
	}
}

func TestExistingNameIsRefusedUnlessOverwritten(t *testing.T) {
	n := run(t)
	req := &schedulerv1.ScheduleJobRequest{Name: "x", Metadata: jobMetadata("ns", "app"), Job: inAnHour()}
	if _, err := n.ScheduleJob(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	_, err := n.ScheduleJob(t.Context(), req)
	wantStatus(t, "again", err, codes.AlreadyExists, "job already exists: 'app||ns||app||x'")

	req.Job = &schedulerv1.Job{DueTime: new("rubbish")}
	_, err = n.ScheduleJob(t.Context(), req)
	if got := status.Code(err); got != codes.Unknown {
		t.Errorf("again, and wrong: %v, want what is wrong with it: %v", err, codes.Unknown)
	}

	req.Job, req.Overwrite = &schedulerv1.Job{DueTime: new("2h")}, true
	if _, err := n.ScheduleJob(t.Context(), req); err != nil {
		t.Errorf("overwrite: %v", err)
	}
}

func TestMissingJobIsNotFoundButCanBeDeleted(t *testing.T) {
	n := run(t)
	meta := jobMetadata("ns", "app")
	_, err := n.GetJob(t.Context(), &schedulerv1.GetJobRequest{Name: "x", Metadata: meta})
	wantStatus(t, "get", err, codes.NotFound, "job not found: x")
	if _, err := n.DeleteJob(t.Context(), &schedulerv1.DeleteJobRequest{Name: "x", Metadata: meta}); err != nil {
		t.Errorf("delete: %v", err)
	}
	if _, err := n.ScheduleJob(t.Context(), &schedulerv1.ScheduleJobRequest{Name: "x", Metadata: meta, Job: inAnHour()}); err != nil {
		t.Errorf("schedule: %v", err)
	}
	if _, err := n.DeleteJob(t.Context(), &schedulerv1.DeleteJobRequest{Name: "x", Metadata: meta}); err != nil {
		t.Errorf("delete: %v", err)
	}
	_, err = n.GetJob(t.Context(), &schedulerv1.GetJobRequest{Name: "x", Metadata: meta})
	wantStatus(t, "get after delete", err, codes.NotFound, "job not found: x")
}

func TestStoreErrorsReachClientWithoutDetails(t *testing.T) {
	n := run(t)
	for what, tc := range map[string]struct {
		err  error
		code codes.Code
		text string
	}{
		"too large": {
			fmt.Errorf("partition 3: %w", &job.TooLargeError{Size: 3_000_000, Limit: 2_097_152}),
			codes.ResourceExhausted, "trying to send message larger than max (3000000 vs. 2097152)",
		},
		"trouble":      {fmt.Errorf("/dev/sda: %w", job.ErrUnavailable), codes.Unavailable, "the scheduler cannot carry this out now: try again"},
		"the unknown":  {errors.New("/dev/sda is on fire"), codes.Internal, "internal error of the scheduler: its log says more"},
		"the deadline": {fmt.Errorf("wait: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "context deadline exceeded"},
	} {
		n.jobs.fail = tc.err
		_, err := n.ScheduleJob(t.Context(), &schedulerv1.ScheduleJobRequest{
			Name: "x", Metadata: jobMetadata("ns", "app"), Job: inAnHour(), Overwrite: true,
		})
		wantStatus(t, what+", schedule", err, tc.code, tc.text)
		_, err = n.GetJob(t.Context(), &schedulerv1.GetJobRequest{Name: "x", Metadata: jobMetadata("ns", "app")})
		wantStatus(t, what+", get", err, tc.code, tc.text)
		_, err = n.DeleteJob(t.Context(), &schedulerv1.DeleteJobRequest{Name: "x", Metadata: jobMetadata("ns", "app")})
		wantStatus(t, what+", delete", err, tc.code, tc.text)
	}
}

func TestPayloadOf2MiBPassesAndMessageOf4MiBDoesNot(t *testing.T) {
	n := run(t)
	for size, want := range map[int]codes.Code{2_000_000: codes.OK, 3 << 20: codes.OK, 8 << 20: codes.ResourceExhausted} {
		j := inAnHour()
		j.Data = &anypb.Any{Value: make([]byte, size)} // the store knows its own limit
		req := &schedulerv1.ScheduleJobRequest{Name: "x", Metadata: jobMetadata("ns", "app"), Job: j, Overwrite: true}
		_, err := n.ScheduleJob(t.Context(), req)
		if status.Code(err) != want {
			t.Errorf("a payload of %d bytes: %v, want %v", size, err, want)
		}
	}
}

func TestPanicFailsOnlyItsRequest(t *testing.T) {
	n := run(t)
	j := inAnHour()
	j.Data = &anypb.Any{Value: []byte("panic")}
	req := &schedulerv1.ScheduleJobRequest{Name: "x", Metadata: jobMetadata("ns", "app"), Job: j}
	_, err := n.ScheduleJob(t.Context(), req)
	wantStatus(t, "panic", err, codes.Internal, "internal error of the scheduler: its log says more")
	req.Job = inAnHour()
	if _, err := n.ScheduleJob(t.Context(), req); err != nil {
		t.Errorf("the next request: %v", err)
	}
}
