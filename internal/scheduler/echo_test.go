package scheduler_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
)

func TestErrorsTruncateEchoedInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		long := strings.Repeat("long", 1<<16) // 256 KiB
		meta := func(namespace, app string) *schedulerv1.JobMetadata {
			target := &schedulerv1.JobTargetMetadata{Type: &schedulerv1.JobTargetMetadata_Job{Job: new(schedulerv1.TargetJob)}}
			return &schedulerv1.JobMetadata{AppId: app, Namespace: namespace, Target: target}
		}
		actor := func(kind, id string) *schedulerv1.JobMetadata {
			reminder := &schedulerv1.TargetActorReminder{Type: kind, Id: id}
			target := &schedulerv1.JobTargetMetadata{Type: &schedulerv1.JobTargetMetadata_Actor{Actor: reminder}}
			return &schedulerv1.JobMetadata{AppId: "a", Namespace: "ns", Target: target}
		}
		small := func(what string, err error) {
			t.Helper()
			st := status.Convert(err)
			if len(st.Message()) > 2<<10 || len(st.Details()) > 0 || st.Code() == codes.OK {
				t.Errorf("%s: %v, with %d bytes and %d details, want an error of 2 KiB at most", what, st.Code(), len(st.Message()), len(st.Details()))
			}
		}
		in := "1h"
		requests := map[string]*schedulerv1.ScheduleJobRequest{
			"name":       {Name: long, Job: &schedulerv1.Job{DueTime: &in}, Metadata: meta("ns", "a")},
			"quotes":     {Name: strings.Repeat(`"`, 1<<17), Job: &schedulerv1.Job{DueTime: &in}, Metadata: meta("ns", "a")},
			"namespace":  {Name: "x", Job: &schedulerv1.Job{DueTime: &in}, Metadata: meta(long, "a")},
			"app":        {Name: "x", Job: &schedulerv1.Job{DueTime: &in}, Metadata: meta("ns", long)},
			"actor type": {Name: "x", Job: &schedulerv1.Job{DueTime: &in}, Metadata: actor(long, "id")},
			"actor id":   {Name: "x", Job: &schedulerv1.Job{DueTime: &in}, Metadata: actor("T", long)},
			"due time":   {Name: "x", Job: &schedulerv1.Job{DueTime: &long}, Metadata: meta("ns", "a")},
			"schedule":   {Name: "x", Job: &schedulerv1.Job{Schedule: &long}, Metadata: meta("ns", "a")},
			"every":      {Name: "x", Job: &schedulerv1.Job{Schedule: new("@every " + long)}, Metadata: meta("ns", "a")},
			"zone":       {Name: "x", Job: &schedulerv1.Job{Schedule: new("TZ=" + long + " @daily")}, Metadata: meta("ns", "a")},
			"field":      {Name: "x", Job: &schedulerv1.Job{Schedule: new(long + " * * * * *")}, Metadata: meta("ns", "a")},
			"ttl":        {Name: "x", Job: &schedulerv1.Job{DueTime: &in, Schedule: new("@daily"), Ttl: &long}, Metadata: meta("ns", "a")},
			"interval": {Name: "x", Job: &schedulerv1.Job{DueTime: &in, FailurePolicy: &commonv1.JobFailurePolicy{
				Policy: &commonv1.JobFailurePolicy_Constant{Constant: &commonv1.JobFailurePolicyConstant{
					Interval: &durationpb.Duration{Seconds: 1 << 62, Nanos: 1 << 30},
				}},
			}}, Metadata: meta("ns", "a")},
		}
		for what, r := range requests {
			_, err := n.ScheduleJob(t.Context(), r)
			small(what, err)
			m, err := n.bulk(t, r)
			if err != nil || len(m.GetRefused()) != 1 || len(m.GetRefused()[0].GetMessage()) > 2<<10 {
				t.Errorf("%s in bulk: %v, %d refusals, want one of 2 KiB at most", what, err, len(m.GetRefused()))
			}
		}
		for what, call := range map[string]func(context.Context) error{
			"GetJob": func(ctx context.Context) error {
				_, err := n.GetJob(ctx, &schedulerv1.GetJobRequest{Name: long, Metadata: meta("ns", "a")})
				return err
			},
			"DeleteJob": func(ctx context.Context) error {
				_, err := n.DeleteJob(ctx, &schedulerv1.DeleteJobRequest{Name: long, Metadata: meta("ns", "a")})
				return err
			},
			"DeleteByNamePrefix": func(ctx context.Context) error {
				_, err := n.DeleteByNamePrefix(ctx, &schedulerv1.DeleteByNamePrefixRequest{NamePrefix: long, Metadata: meta("ns", "a")})
				return err
			},
			"ListJobs": func(ctx context.Context) error {
				_, err := n.ListJobs(ctx, &schedulerv1.ListJobsRequest{Metadata: &schedulerv1.JobMetadata{AppId: long}})
				return err
			},
			"DeleteByMetadata": func(ctx context.Context) error {
				_, err := n.DeleteByMetadata(ctx, &schedulerv1.DeleteByMetadataRequest{Metadata: &schedulerv1.JobMetadata{Namespace: long}})
				return err
			},
			"no method": func(ctx context.Context) error {
				return n.conn.Invoke(ctx, "/"+long[:40<<10]+"/x", new(emptypb.Empty), new(emptypb.Empty))
			},
		} {
			small(what, call(t.Context()))
		}
		watch, err := n.WatchJobs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_ = watch.Send(&schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Initial{
			Initial: &schedulerv1.WatchJobsRequestInitial{AppId: long, Namespace: "ns"},
		}})
		_, err = watch.Recv()
		small("WatchJobs", err)
	})
}
