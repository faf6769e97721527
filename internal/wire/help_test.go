package wire_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// helpOf returns the field help of e's HTTP body.
func helpOf(t *testing.T, e *wire.APIError) string {
	t.Helper()
	var body struct{ Help string }
	if err := json.Unmarshal(e.Body(), &body); err != nil {
		t.Fatalf("%s: %v", e.Body(), err)
	}
	return body.Help
}

// Dapr's own Scheduler says what is wrong in few words; ours has the help in them.
func TestHelpWorksWithAnyScheduler(t *testing.T) {
	target := job.Target{Kind: job.App, Namespace: "default", Name: "sub"}
	forever := &commonv1.JobFailurePolicy{Policy: &commonv1.JobFailurePolicy_Constant{
		Constant: &commonv1.JobFailurePolicyConstant{Interval: durationpb.New(0)},
	}}
	forever.GetConstant().Interval.Seconds = 300_000_000_000
	for _, c := range []struct {
		job         *runtimev1.Job
		err         error
		field, help string
	}{
		{&runtimev1.Job{Name: "a", DueTime: new("tomorrow")}, status.Error(codes.Unknown, "job failed validation: due time format not recognized"), "job.due_time", `dueTime "tomorrow" is neither`},
		{&runtimev1.Job{Name: "a", Schedule: new("*/5 * * * *")}, status.Error(codes.Unknown, "job failed validation: expected exactly 6 fields"), "job.schedule", `write "0 */5 * * * *"`},
		{&runtimev1.Job{Name: "a/b", DueTime: new("1s")}, status.Error(codes.Unknown, "job name is invalid"), "job.name", `the name of the job is "a/b"`},
		{&runtimev1.Job{Name: "a", DueTime: new("1s"), FailurePolicy: forever}, status.Error(codes.Unknown, "no"), "job.failure_policy", "interval is out of range"},
		{&runtimev1.Job{Name: "a", DueTime: new("1s")}, status.Error(codes.AlreadyExists, "job already exists: 'app||default||sub||a'"), "overwrite", "set overwrite to true"},
		{&runtimev1.Job{Name: "a", DueTime: new("1s")}, status.Error(codes.ResourceExhausted, "trying to send message larger than max (3000000 vs. 2097152)"), "job.data", "keep the data elsewhere"},
		{&runtimev1.Job{Name: "a", DueTime: new("1s")}, status.Error(codes.ResourceExhausted, "a quota"), "", ""},
		{&runtimev1.Job{Name: "a", DueTime: new("1s")}, status.Error(codes.Unknown, "etcdserver: mvcc: database space exceeded"), "", ""},
		{&runtimev1.Job{Name: "a", DueTime: new("1s")}, status.Error(codes.PermissionDenied, "identity does not match request"), "", "correct --app-id or NAMESPACE"},
		{&runtimev1.Job{Name: "a", DueTime: new("1s")}, status.Error(codes.Unauthenticated, "failed to get identity from context"), "", "--enable-mtls"},
		{&runtimev1.Job{Name: "a", DueTime: new("1s")}, status.Error(codes.DeadlineExceeded, "context deadline exceeded"), "", "has not answered in time"},
		{&runtimev1.Job{Name: "a", DueTime: new("1s")}, errors.New("scheduler clients are disabled"), "", ""},
	} {
		asked := wire.APIScheduleRequest(target, &runtimev1.ScheduleJobRequest{Job: c.job})
		e := wire.ScheduleFailed(target, c.err).HelpSchedule(c.err, asked, time.Now())
		if want := "failed to schedule job due to: " + c.err.Error(); e.Message != want {
			t.Errorf("the message is %q, want Dapr's, %q", e.Message, want)
		}
		if got := helpOf(t, e); !strings.Contains(got, c.help) || (got == "") != (c.help == "") {
			t.Errorf("%v: the help is %q, want %q in it", c.err, got, c.help)
		}
		details := e.GRPCStatus().Details()
		info := &errdetails.ErrorInfo{Reason: "DAPR_SCHEDULER_SCHEDULE_JOB", Domain: "dapr.io", Metadata: map[string]string{"appID": "sub", "namespace": "default"}}
		want := []any{info}
		switch {
		case c.field != "":
			want = append(want, &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: c.field, Description: helpOf(t, e)}}})
		case c.help != "":
			want = append(want, &errdetails.Help{Links: []*errdetails.Help_Link{{Description: helpOf(t, e)}}})
		}
		if diff := cmp.Diff(want, details, protocmp.Transform()); diff != "" {
			t.Errorf("%v: details (-want +got):\n%s", c.err, diff)
		}
	}
}

func TestHelpOfSchedulerIsNotRepeated(t *testing.T) {
	target := job.Target{Kind: job.App, Namespace: "default", Name: "sub"}
	asked := wire.APIScheduleRequest(target, &runtimev1.ScheduleJobRequest{Job: &runtimev1.Job{Name: "a", DueTime: new("30")}})
	err := status.Error(codes.Unknown, `job failed validation: due time format not recognized: dueTime "30" is likely to mean "30s": write that`)
	if e := wire.ScheduleFailed(target, err).HelpSchedule(err, asked, time.Now()); helpOf(t, e) != "" || len(e.GRPCStatus().Details()) != 2 {
		t.Errorf("the body is %s, want no help in it, and the details %v", e.Body(), e.GRPCStatus().Details())
	}
}

func TestMalformedBodyGetsHelp(t *testing.T) {
	for body, want := range map[string]string{
		`{"dueTime":"1s","data":{"b":{"a":1,"a":2}}}`:                     `an object in data has the key "a" twice`,
		`{"dueTime":"1s","dueTime":"2s"}`:                                 `give each field once`,
		`{"dueTime":"1s","data":"\ud800"}`:                                `one half of a surrogate pair`,
		`{"dueTime":"1s","data":{"\ud800\u0041":1}}`:                      `one half of a surrogate pair`,
		`{"dueTime":"1s","data":"\x"}`:                                    `send a JSON object`,
		`{"dueTime":"1s","data":"`:                                        `the body ends too early`,
		`{"dueTime":"1s","data":[-1e400]}`:                                `the number -1e400 in data is too large here: send it as a string`,
		`{"dueTime":"1s","data":` + strings.Repeat("9", 400) + `}`:        `in data is too large here: send it as a string`,
		`{"failurePolicy":{"constant":{"interval":5}},"dueTime":"1s"}`:    `a quoted text such as "5s", and not 5`,
		`{"job":{"failure_policy":{"constant":{"interval": 5 }}}}`:        `a quoted text such as "5s", and not 5`,
		`{"failurePolicy":{"constant":{"interval":"5m"}},"dueTime":"1s"}`: `write "300s"`,
		`{"failurePolicy":{"constant":5}}`:                                `a failurePolicy is {"drop": {}} or`,
		`[]`:                                                              `send a JSON object`,
	} {
		_, _, err := wire.ParseAPIBody([]byte(body), nil)
		if err == nil {
			t.Errorf("%s is accepted", body)
			continue
		}
		if got := wire.Malformed(job.Target{}, err, []byte(body)).Help; !strings.Contains(got, want) || len(got) > 400 {
			t.Errorf("%.60s is answered with %q, want a short text with %q", body, got, want)
		}
	}
}

func TestIgnoredJobIsReported(t *testing.T) {
	for body, want := range map[string]string{
		`{"job":{"dueTime":"2h"},"overwrite":true}`:           `the object "job" is ignored because of what stands beside it: move "overwrite" into "job"`,
		`{"repeats":2,"job":{"dueTime":"2h"},"data":{"x":1}}`: `move "repeats" and "data" into "job"`,
		`{"job":[]}`:                       `"job" is ignored, as it is no object`,
		`{"job":"x"}`:                      `"job" is ignored, as it is no object`,
		`{"job":{"job":{"dueTime":"1s"}}}`: `the "job" within "job" is ignored`,
		`{"job":{"data":1}}`:               `give dueTime, such as`,
		`{"name":"a","job":{}}`:            `give dueTime, such as`,
		`{"data":{"job":{}}}`:              `give dueTime, such as`,
		``:                                 `give dueTime, such as`,
	} {
		r, b, err := wire.ParseAPIBody([]byte(body), nil)
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		r.Job.Name = "a"
		e := wire.CheckAPIJob(job.Target{}, r.GetJob())
		if e == nil {
			t.Errorf("%s is accepted", body)
		} else if got := e.HelpEmpty(b, []byte(body)); !strings.Contains(got.Help, want) || got.Field != "job.schedule" {
			t.Errorf("%s is answered with %q about %s, want %q", body, got.Help, got.Field, want)
		}
	}
}
