package sidecar_test

import (
	"context"
	"strings"
	"testing"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"carillon/internal/sidecar"
)

// wantStatus checks that an error has a code and a text, and exactly one detail: an ErrorInfo.
func wantStatus(t *testing.T, what string, err error, code codes.Code, message, reason string, md map[string]string) {
	t.Helper()
	s := status.Convert(err)
	if s.Code() != code || s.Message() != message {
		t.Errorf("%s = %v %q, want %v %q", what, s.Code(), s.Message(), code, message)
	}
	want := []any{&errdetails.ErrorInfo{Reason: reason, Domain: "dapr.io", Metadata: md}}
	got := s.Details()
	if len(got) > 1 { // TestEachRefusalSaysWhatToDo has what follows
		got = got[:1]
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("%s: unexpected details (-want +got):\n%s", what, diff)
	}
}

func TestGRPCRoundTrip(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		c := runtimev1.NewDaprClient(f.grpc())
		for _, j := range []*runtimev1.Job{
			{Name: "  ", DueTime: new("")},
			{Name: "a/b", Schedule: new("@daily"), Repeats: new(uint32(0)), Ttl: new("x")},
			{Name: "c", DueTime: new("30s"), Data: &anypb.Any{Value: []byte{0, 255}}},
			{Name: "d", DueTime: new("30s"), Data: &anypb.Any{TypeUrl: "dapr.io/schedule/jobpayload", Value: []byte(" x ")}},
			{Name: "e", DueTime: new("30s"), Data: &anypb.Any{}, FailurePolicy: &commonv1.JobFailurePolicy{
				Policy: &commonv1.JobFailurePolicy_Constant{Constant: &commonv1.JobFailurePolicyConstant{
					Interval: durationpb.New(1), MaxRetries: new(uint32(0)),
				}},
			}},
		} {
			if _, err := c.ScheduleJob(t.Context(), &runtimev1.ScheduleJobRequest{Job: j}); err != nil {
				t.Errorf("ScheduleJob(%v) = %v", j, err)
			}
			if got := f.scheduler.job("default|sub|" + j.GetName()); got.GetOverwrite() {
				t.Errorf("ScheduleJob(%v) overwrites", j)
			}
			scheduleAlpha := c.ScheduleJobAlpha1 //nolint:staticcheck // SDKs use it
			if _, err := scheduleAlpha(t.Context(), &runtimev1.ScheduleJobRequest{Job: j}); status.Code(err) != codes.AlreadyExists {
				t.Errorf("ScheduleJobAlpha1 again = %v, want AlreadyExists", err)
			}
			over := &runtimev1.ScheduleJobRequest{Job: j, Overwrite: true}
			if _, err := scheduleAlpha(t.Context(), over); err != nil {
				t.Errorf("ScheduleJobAlpha1 with overwrite = %v", err)
			}
			for _, get := range []func(context.Context, *runtimev1.GetJobRequest, ...grpc.CallOption) (*runtimev1.GetJobResponse, error){
				c.GetJob, c.GetJobAlpha1, //nolint:staticcheck // SDKs use it
			} {
				got, err := get(t.Context(), &runtimev1.GetJobRequest{Name: j.GetName()})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(j, got.GetJob(), protocmp.Transform()); diff != "" {
					t.Errorf("GetJob: unexpected job (-want +got):\n%s", diff)
				}
			}
			for _, remove := range []func(context.Context, *runtimev1.DeleteJobRequest, ...grpc.CallOption) (*runtimev1.DeleteJobResponse, error){
				c.DeleteJob, c.DeleteJobAlpha1, //nolint:staticcheck // SDKs use it
			} {
				if _, err := remove(t.Context(), &runtimev1.DeleteJobRequest{Name: j.GetName()}); err != nil {
					t.Errorf("DeleteJob = %v", err)
				}
			}
			if f.scheduler.job("default|sub|"+j.GetName()) != nil {
				t.Errorf("DeleteJob left the job %q", j.GetName())
			}
		}
	})
}

func TestGRPCErrors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		c := runtimev1.NewDaprClient(f.grpc())
		md := map[string]string{"appID": "sub", "namespace": "default"}
		schedule := func(j *runtimev1.Job) error {
			_, err := c.ScheduleJob(t.Context(), &runtimev1.ScheduleJobRequest{Job: j})
			return err
		}
		get := func(name string) error {
			_, err := c.GetJob(t.Context(), &runtimev1.GetJobRequest{Name: name})
			return err
		}
		remove := func(name string) error {
			_, err := c.DeleteJob(t.Context(), &runtimev1.DeleteJobRequest{Name: name})
			return err
		}
		bad := codes.InvalidArgument
		wantStatus(t, "no job", schedule(nil), bad, "Job is empty", "DAPR_SCHEDULER_EMPTY", md)
		wantStatus(t, "no name", schedule(&runtimev1.Job{}), bad, "Name is empty", "DAPR_SCHEDULER_JOB_NAME_EMPTY", md)
		wantStatus(t, "get without name", get(""), bad, "Name is empty", "DAPR_SCHEDULER_JOB_NAME_EMPTY", md)
		wantStatus(t, "delete without name", remove(""), bad, "Name is empty", "DAPR_SCHEDULER_JOB_NAME_EMPTY", md)
		wantStatus(t, "no time", schedule(&runtimev1.Job{Name: "a"}), bad, "Schedule is empty", "DAPR_SCHEDULER_SCHEDULE_EMPTY", md)
		wantStatus(t, "missing job", get("w"), codes.Internal,
			"failed to get job due to: rpc error: code = NotFound desc = job not found: w", "DAPR_SCHEDULER_GET_JOB", md)

		for from, to := range map[codes.Code]codes.Code{
			codes.Unknown: codes.Internal, codes.InvalidArgument: codes.InvalidArgument, codes.AlreadyExists: codes.AlreadyExists,
			codes.ResourceExhausted: codes.ResourceExhausted, codes.Unavailable: codes.Unavailable,
		} {
			err := status.Error(from, "no")
			f.scheduler.answersWith(err)
			wantStatus(t, "schedule", schedule(&runtimev1.Job{Name: "a", DueTime: new("1s")}), to,
				"failed to schedule job due to: "+err.Error(), "DAPR_SCHEDULER_SCHEDULE_JOB", md)
			wantStatus(t, "get", get("a"), codes.Internal,
				"failed to get job due to: "+err.Error(), "DAPR_SCHEDULER_GET_JOB", md)
			wantStatus(t, "delete", remove("a"), codes.Internal,
				"failed to delete job due to: "+err.Error(), "DAPR_SCHEDULER_DELETE_JOB", md)
		}
	})
}

func TestGRPCMetadataSelectsApp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		c := runtimev1.NewDaprClient(f.grpc())
		req := &runtimev1.ScheduleJobRequest{Job: &runtimev1.Job{Name: "a", DueTime: new("1s")}}
		as := func(app string) error {
			_, err := c.ScheduleJob(metadata.AppendToOutgoingContext(t.Context(), "dapr-app-id", app), req)
			return err
		}
		if err := as("sub"); err != nil {
			t.Errorf("as sub: %v", err)
		}
		if err := as("pub"); status.Code(err) != codes.PermissionDenied {
			t.Errorf("as pub: %v, want PermissionDenied", err)
		}
	})
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{AnyApp: true})
		c := runtimev1.NewDaprClient(f.grpc())
		req := &runtimev1.ScheduleJobRequest{Job: &runtimev1.Job{Name: "a", DueTime: new("1s")}}
		if _, err := c.ScheduleJob(t.Context(), req); status.Code(err) != codes.InvalidArgument {
			t.Errorf("as nobody: %v, want InvalidArgument", err)
		}
		if _, err := c.ScheduleJob(metadata.AppendToOutgoingContext(t.Context(), "dapr-app-id", "pub"), req); err != nil {
			t.Errorf("as pub: %v", err)
		}
		if f.scheduler.job("default|pub|a") == nil {
			t.Error("pub has no job")
		}
	})
}

func TestGRPCCallRequiresToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{APIToken: "secret"})
		c := runtimev1.NewDaprClient(f.grpc())
		_, err := c.DeleteJob(t.Context(), &runtimev1.DeleteJobRequest{Name: "a"})
		wantStatus(t, "no token", err, codes.Unauthenticated, "Unauthorized", "Unauthorized",
			map[string]string{"http.code": "401", "http.error_message": "missing api token in request metadata"})
		ctx := metadata.AppendToOutgoingContext(t.Context(), "dapr-api-token", "x")
		_, err = c.DeleteJob(ctx, &runtimev1.DeleteJobRequest{Name: "a"})
		wantStatus(t, "another token", err, codes.Unauthenticated, "Unauthorized", "Unauthorized",
			map[string]string{"http.code": "401", "http.error_message": "authentication error: api token mismatch"})
		st, err := grpc_reflection_v1.NewServerReflectionClient(f.grpc()).ServerReflectionInfo(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Recv(); status.Code(err) != codes.Unauthenticated {
			t.Errorf("reflection without the token: %v, want Unauthenticated", err)
		}
		ctx = metadata.AppendToOutgoingContext(t.Context(), "dapr-api-token", "secret")
		if _, err = c.DeleteJob(ctx, &runtimev1.DeleteJobRequest{Name: "a"}); err != nil {
			t.Errorf("with the token: %v", err)
		}
	})
}

func TestOtherGRPCMethodsAreUnimplemented(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		conn := f.grpc()
		for _, method := range []string{
			"/dapr.proto.runtime.v1.Dapr/SaveState", "/dapr.proto.runtime.v1.Dapr/Nothing", "/nobody.Nothing/Nothing",
		} {
			err := conn.Invoke(t.Context(), method, &runtimev1.GetJobRequest{}, &runtimev1.GetJobResponse{})
			if status.Code(err) != codes.Unimplemented {
				t.Errorf("%s = %v, want Unimplemented", method, err)
			}
		}
		st, err := grpc_reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = st.Send(&grpc_reflection_v1.ServerReflectionRequest{
			MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{
				FileContainingSymbol: "dapr.proto.runtime.v1.Dapr",
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		res, err := st.Recv()
		if err != nil || len(res.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
			t.Errorf("reflection answered %v, %v, want a file", res, err)
		}
	})
}

func TestGRPCMessageSizeIsLimited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{MaxBody: 1000})
		c := runtimev1.NewDaprClient(f.grpc())
		req := &runtimev1.ScheduleJobRequest{Job: &runtimev1.Job{Name: strings.Repeat("a", 2000), DueTime: new("1s")}}
		_, err := c.ScheduleJob(t.Context(), req)
		if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "received message larger than max") {
			t.Errorf("a message of %d bytes: %v, want ResourceExhausted", proto.Size(req), err)
		}
	})
}

func TestGRPCDataIsShownOverHTTP(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		c := runtimev1.NewDaprClient(f.grpc())
		const value = "type.googleapis.com/google.protobuf.Value"
		for _, job := range []struct {
			what           string
			data           *anypb.Any
			today, asGiven string // what GET shows in each dialect
		}{
			{"Value", mustAny(t, structpb.NewStringValue("x")), `{"@type":"` + value + `","value":"x"}`, `"x"`},
			{"StringValue", mustAny(t, wrapperspb.String("x")), `{"@type":"type.googleapis.com/google.protobuf.StringValue","value":"x"}`, ""},
			{"BytesValue", mustAny(t, wrapperspb.Bytes([]byte("x"))), `{"@type":"type.googleapis.com/google.protobuf.BytesValue","value":"eA=="}`, ""},
			{"an empty Any", &anypb.Any{}, `{}`, ""},
			{"no type", &anypb.Any{Value: []byte("x")}, `{"@type":"","value":"eA=="}`, ""},
			{
				"an unknown type", &anypb.Any{TypeUrl: "dapr.io/schedule/jobpayload", Value: []byte("x")},
				`{"@type":"dapr.io/schedule/jobpayload","value":"eA=="}`, "",
			},
		} {
			_, err := c.ScheduleJob(t.Context(), &runtimev1.ScheduleJobRequest{
				Job: &runtimev1.Job{Name: "a", DueTime: new("1s"), Data: job.data}, Overwrite: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			if job.asGiven == "" {
				job.asGiven = job.today
			}
			for header, want := range map[string]string{"x: y": job.today, "dapr-app-id: sub": job.asGiven} {
				got := f.send("GET", "/v1.0/jobs/a", "", header)
				if diff := cmp.Diff(decode(t, `{"name":"a","dueTime":"1s","data":`+want+`}`), decode(t, got.body)); diff != "" {
					t.Errorf("%s, %s: GET = %d, unexpected body (-want +got):\n%s", job.what, header, got.code, diff)
				}
			}
		}
		_, err := c.ScheduleJob(t.Context(), &runtimev1.ScheduleJobRequest{
			Job: &runtimev1.Job{Name: "a", DueTime: new("1s"), Data: &anypb.Any{TypeUrl: value}}, Overwrite: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		f.wantError("GET of a Value without a kind", f.send("GET", "/v1.0/jobs/a", ""), 500, errorBody("ERR_INTERNAL",
			"failed to encode response as JSON: google.protobuf.Value: none of the oneof fields is set", nil))
	})
}
