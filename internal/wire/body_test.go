package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"carillon/internal/job"
	"carillon/internal/wire"
)

const valueURL = "type.googleapis.com/google.protobuf.Value"

func TestNameIsReadInBothBodyForms(t *testing.T) {
	for body, want := range map[string]string{
		`{"name":"a","dueTime":"1s"}`:                  "a",
		`{"name":"a","job":{"dueTime":"1s"}}`:          "a",
		`{"job":{"name":"a","dueTime":"1s"}}`:          "a",
		`{"name":"a","job":{"name":"b","dueTime":""}}`: "b",
		`{"dueTime":"1s"}`:                             "",
	} {
		r, _, err := wire.ParseAPIBody([]byte(body), nil)
		if err != nil || r.GetJob().GetName() != want || r.GetJob().DueTime == nil {
			t.Errorf("%s: %v, %v; want the job %q", body, r, err, want)
		}
	}
}

func TestBodyFormIsDetected(t *testing.T) {
	for body, want := range map[string]wire.BodyForm{
		"":                               wire.FlatBody,
		"{}":                             wire.FlatBody,
		`{"dueTime":"1s"}`:               wire.FlatBody,
		`{"data":null,"job":{}}`:         wire.FlatBody,
		`{"dueTime":"","job":{}}`:        wire.FlatBody,
		`{"failure_policy":{},"job":{}}`: wire.FlatBody,
		`{"job":{}}`:                     wire.WrappedBody,
		` { "x":1, "job" : {} , "y":2 }`: wire.WrappedBody,
		`{"j\u006fb":{"dueTime":"1s"}}`:  wire.WrappedBody,
		`{"schedule":null,"job":{}}`:     wire.WrappedBody,
		`{"Job":{}}`:                     wire.NeitherBody,
		`{"job":null}`:                   wire.NeitherBody,
		`{"job":[{}]}`:                   wire.NeitherBody,
		`{"x":{"job":{}}}`:               wire.NeitherBody,
	} {
		if _, got, err := wire.ParseAPIBody([]byte(body), nil); err != nil || got.Form != want {
			t.Errorf("ParseAPIBody(%s) = %v, %v, want %v", body, got.Form, err, want)
		}
	}
}

func TestBothBodyFormsMeanTheSame(t *testing.T) {
	const fields = `{"schedule":"@daily","repeats":2,"dueTime":"1s","ttl":"2s","data":{"@type":"x","b":[1,null]},` +
		`"overwrite":true,"failurePolicy":{"constant":{"interval":"1.5s","maxRetries":3}}}`
	want := &runtimev1.ScheduleJobRequest{Overwrite: true, Job: &runtimev1.Job{
		Schedule: new("@daily"), Repeats: new(uint32(2)), DueTime: new("1s"), Ttl: new("2s"),
		Data: &anypb.Any{TypeUrl: valueURL},
		FailurePolicy: &commonv1.JobFailurePolicy{Policy: &commonv1.JobFailurePolicy_Constant{
			Constant: &commonv1.JobFailurePolicyConstant{
				Interval: &durationpb.Duration{Seconds: 1, Nanos: 5e8}, MaxRetries: new(uint32(3)),
			},
		}},
	}}
	value, err := structpb.NewValue(map[string]any{"@type": "x", "b": []any{1, nil}})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{fields, `{"job":` + fields + `}`} {
		got, _, err := wire.ParseAPIBody([]byte(body), nil)
		if err != nil {
			t.Fatal(err)
		}
		var data structpb.Value
		if err := got.GetJob().GetData().UnmarshalTo(&data); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(value, &data, protocmp.Transform()); diff != "" {
			t.Errorf("ParseAPIBody(%s): unexpected data (-want +got):\n%s", body, diff)
		}
		got.Job.Data.Value = nil // compared above: the order of keys is not fixed
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("ParseAPIBody(%s): unexpected request (-want +got):\n%s", body, diff)
		}
	}
}

func TestOnlyDeliverableDataIsAccepted(t *testing.T) {
	for _, open := range []string{"[", `{"":`} {
		shut := map[string]string{"[": "]", `{"":`: "}"}[open]
		for _, depth := range []int{2000, 4000, 9900} {
			body := `{"data":` + strings.Repeat(open, depth) + "1" + strings.Repeat(shut, depth) + "}"
			r, _, err := wire.ParseAPIBody([]byte(body), nil)
			if err != nil {
				if depth < 3000 {
					t.Errorf("%d times %s: %v", depth, open, err)
				}
				continue
			}
			d := r.GetJob().GetData()
			if _, err := wire.AppBody(&job.Data{TypeURL: d.GetTypeUrl(), Value: d.GetValue()}); err != nil {
				t.Errorf("%d times %s is accepted, and AppBody = %v", depth, open, err)
			}
		}
	}
}

func TestJobSurvivesRoundTripToScheduler(t *testing.T) {
	target := job.Target{Kind: job.App, Namespace: "ns", Name: "app"}
	for _, j := range []*runtimev1.Job{
		{Name: "a"},
		{Name: "a", Schedule: new(""), Repeats: new(uint32(0)), DueTime: new(""), Ttl: new(""), Data: &anypb.Any{}},
		{Name: "a", FailurePolicy: &commonv1.JobFailurePolicy{Policy: &commonv1.JobFailurePolicy_Drop{}}},
	} {
		r := wire.APIScheduleRequest(target, &runtimev1.ScheduleJobRequest{Job: j, Overwrite: true})
		if r.GetName() != "a" || !r.GetOverwrite() || r.GetMetadata().GetAppId() != "app" ||
			r.GetMetadata().GetNamespace() != "ns" || r.GetMetadata().GetTarget().GetJob() == nil {
			t.Errorf("APIScheduleRequest = %v", r)
		}
		if diff := cmp.Diff(j, wire.APIJob("a", r.GetJob()), protocmp.Transform()); diff != "" {
			t.Errorf("APIJob: unexpected job (-want +got):\n%s", diff)
		}
	}
	if got := wire.APIJob("a", (*schedulerv1.Job)(nil)); got.GetName() != "a" {
		t.Errorf("APIJob of nothing = %v", got)
	}
}

func TestDataIsRendered(t *testing.T) {
	pack := func(m proto.Message) *anypb.Any {
		a, err := anypb.New(m)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	const null = "<absent>"
	for _, c := range []struct {
		what          string
		data          *anypb.Any
		wrapped       string // today's
		published     string // the same, if empty
		expectedError string
	}{
		{what: "none", wrapped: null},
		{what: "an object", data: pack(structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
			"@type": structpb.NewStringValue("x"), "a<&>": structpb.NewNumberValue(1e21),
		}})), wrapped: `{"@type":"` + valueURL + `","value":{"@type":"x","a<&>":1e+21}}`, published: `{"@type":"x","a<&>":1e+21}`},
		{what: "null", data: pack(structpb.NewNullValue()), wrapped: `{"@type":"` + valueURL + `","value":null}`, published: `null`},
		{what: "StringValue", data: pack(wrapperspb.String("a")), wrapped: `{"@type":"type.googleapis.com/google.protobuf.StringValue","value":"a"}`},
		{what: "Int64Value", data: pack(wrapperspb.Int64(7)), wrapped: `{"@type":"type.googleapis.com/google.protobuf.Int64Value","value":"7"}`},
		{what: "BytesValue", data: pack(wrapperspb.Bytes([]byte{255})), wrapped: `{"@type":"type.googleapis.com/google.protobuf.BytesValue","value":"/w=="}`},
		{what: "Timestamp", data: pack(&timestamppb.Timestamp{}), wrapped: `{"@type":"type.googleapis.com/google.protobuf.Timestamp","value":"1970-01-01T00:00:00Z"}`},
		{what: "an empty Any", data: &anypb.Any{}, wrapped: `{}`},
		{what: "no type", data: &anypb.Any{Value: []byte("\"x\"")}, wrapped: `{"@type":"","value":"Ingi"}`},
		{what: "an unknown type", data: &anypb.Any{TypeUrl: "dapr.io/schedule/jobpayload"}, wrapped: `{"@type":"dapr.io/schedule/jobpayload","value":""}`},
		{what: "a Value of no kind", data: &anypb.Any{TypeUrl: valueURL}, expectedError: "none of the oneof fields is set"},
		{what: "a broken Value", data: &anypb.Any{TypeUrl: valueURL, Value: []byte{255}}, expectedError: "cannot parse"},
		{what: "a broken StringValue", data: &anypb.Any{TypeUrl: "type.googleapis.com/google.protobuf.StringValue", Value: []byte{255}}, expectedError: "cannot parse"},
	} {
		for _, asGiven := range []bool{false, true} {
			want := c.wrapped
			if asGiven && c.published != "" {
				want = c.published
			}
			b, err := wire.RenderAPIJob(&runtimev1.Job{Name: "a", Data: c.data}, nil, asGiven)
			if c.expectedError != "" {
				if err == nil || !strings.Contains(err.Error(), c.expectedError) {
					t.Errorf("%s: RenderAPIJob = %s, %v, want an error with %q", c.what, b, err, c.expectedError)
				}
				continue
			}
			if want = `{"name":"a","data":` + want + `}`; c.data == nil {
				want = `{"name":"a"}`
			}
			if err != nil || string(b) != want {
				t.Errorf("%s: RenderAPIJob(asGiven %v) = %s, %v, want %s", c.what, asGiven, b, err, want)
			}
		}
	}
}

func TestErrorsAreTheSameOverHTTPAndGRPC(t *testing.T) {
	target := job.Target{Kind: job.App, Namespace: "ns", Name: "app"}
	for _, c := range []struct {
		err  *wire.APIError
		http int
		code codes.Code
	}{
		{wire.ScheduleFailed(target, errors.New("x")), 500, codes.Internal},
		{wire.ScheduleFailed(target, status.Error(codes.Unknown, "x")), 500, codes.Internal},
		{wire.ScheduleFailed(target, fmt.Errorf("y: %w", status.Error(codes.Canceled, "x"))), 408, codes.Canceled},
		{wire.GetFailed(target, status.Error(codes.NotFound, "x")), 500, codes.Internal},
		{wire.DeleteFailed(target, status.Error(codes.Aborted, "x")), 500, codes.Internal},
		{wire.NewAPIError(wire.ReasonAppForbidden, target, "x"), 403, codes.PermissionDenied},
		{wire.NewAPIError("SOMETHING", target, "x"), 500, codes.Internal},
	} {
		if c.err.HTTP != c.http || status.Code(c.err) != c.code {
			t.Errorf("%v: HTTP %d, gRPC %v, want %d, %v", c.err, c.err.HTTP, status.Code(c.err), c.http, c.code)
		}
		var body struct{ ErrorCode, Message string }
		if err := json.Unmarshal(c.err.Body(), &body); err != nil || body.Message != status.Convert(c.err).Message() ||
			body.ErrorCode != string(c.err.Reason) {
			t.Errorf("%v: body %s, %v", c.err, c.err.Body(), err)
		}
	}
	notText := wire.NewAPIError(wire.ReasonGet, job.Target{Name: "\xff"}, "\xff")
	if got := status.Convert(notText).Message(); !utf8.Valid(notText.Body()) || got == "" {
		t.Errorf("an error that is no text: %s, %q", notText.Body(), got)
	}
}

func FuzzParseAPIBody(f *testing.F) {
	for _, body := range []string{
		"", "{}", "null", `{"job":{"dueTime":"1s","data":{"a":[1,"x",null]}}}`, `{"repeats":"7","ttl":null}`,
		`{"failurePolicy":{"constant":{"interval":"0.2s","maxRetries":5}}}`, "{\"a\":\"\xff\"}", `{"job":{},"job":{}}`,
		strings.Repeat("[", 100), `{"data":"NaN"}`, `{"data":1e308}`,
		`{"dueTime":"1s","ext":{"labels":{"team":"billing","a":""},"description":"\n"}}`, `{"job":{"ttl":"1s","ext":{"x":1}},"ext":{}}`,
		`{"ttl":"1s","ext":{},"\u0065xt":{"labels":{"a":"1","a":"2"}}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, form, err := wire.ParseAPIBody(body, nil)
		if err != nil {
			if r != nil || form != (wire.Body{}) {
				t.Errorf("ParseAPIBody(%q) = %v, %v, together with an error", body, r, form)
			}
			return
		}
		if form.Form == wire.NeitherBody && !proto.Equal(r, &runtimev1.ScheduleJobRequest{Job: &runtimev1.Job{}}) {
			t.Errorf("ParseAPIBody(%q) = %v, of neither form", body, r)
		}
		if form.Ext != nil {
			wantSameExt(t, form.Ext)
		}
		for _, asGiven := range []bool{false, true} {
			out, err := wire.RenderAPIJob(r.GetJob(), form.Ext, asGiven)
			if err != nil || !json.Valid(out) {
				t.Errorf("ParseAPIBody(%q) was accepted, and RenderAPIJob(%v) = %s, %v", body, r, out, err)
			}
		}
		if d := r.GetJob().GetData(); d != nil {
			if got, err := wire.AppBody(&job.Data{TypeURL: d.GetTypeUrl(), Value: d.GetValue()}); err != nil || len(got) == 0 {
				t.Errorf("ParseAPIBody(%q) was accepted, and AppBody = %s, %v", body, got, err)
			}
		}
	})
}
