package sidecar_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/sidecar"
)

// errorBody returns a decoded error of the HTTP API; metadata is that of its ErrorInfo, or nil.
func errorBody(code, message string, metadata map[string]any) map[string]any {
	b := map[string]any{"errorCode": code, "message": message}
	if metadata != nil {
		b["details"] = []any{map[string]any{
			"@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "dapr.io", "reason": code, "metadata": metadata,
		}}
	}
	return b
}

func (f *fixture) wantError(what string, got answer, code int, want map[string]any) {
	f.t.Helper()
	if got.code != code || got.header.Get("Content-Type") != "application/json" {
		f.t.Errorf("%s = %d %q, want %d application/json", what, got.code, got.header.Get("Content-Type"), code)
	}
	body := decode(f.t, got.body)
	if m, ok := body.(map[string]any); ok && want["help"] == nil {
		delete(m, "help") // TestEachRefusalSaysWhatToDo has them
	}
	if diff := cmp.Diff(any(want), body); diff != "" {
		f.t.Errorf("%s: unexpected body (-want +got):\n%s", what, diff)
	}
}

var both = map[string]any{"appID": "sub", "namespace": "default"}

func TestHTTPErrors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{MaxBody: 100})
		const (
			path    = "/v1.0/jobs/a"
			header  = "dapr-app-id: sub"
			missing = `: the body needs "schedule" or "dueTime", in an object "job" or at its top level`
		)
		for _, c := range []struct {
			what, path, body string
			headers          []string
			code             int
			want             map[string]any
		}{
			{
				"too large", path, strings.Repeat(" ", 101), nil, 400,
				errorBody("ERR_BODY_READ", "failed to read request body: stream too large", nil),
			},
			{
				"name in body", path, `{"name":"a","dueTime":"1s"}`, nil, 400,
				errorBody("DAPR_SCHEDULER_JOB_NAME", "Set the job name in the url only", map[string]any{"appID": "sub"}),
			},
			{
				"name in body, before other checks", "/v1.0/jobs/%20", `{"name":"b"}`, nil, 400,
				errorBody("DAPR_SCHEDULER_JOB_NAME", "Set the job name in the url only", map[string]any{"appID": "sub"}),
			},
			{
				"name in the wrapper", path, `{"job":{"name":"a","dueTime":"1s"}}`, nil, 400,
				errorBody("DAPR_SCHEDULER_JOB_NAME", "Set the job name in the url only", map[string]any{"appID": "sub"}),
			},
			{
				"name empty", "/v1.0/jobs/%20", `{}`, nil, 400,
				errorBody("DAPR_SCHEDULER_JOB_NAME_EMPTY", "Name is empty", both),
			},
			{"empty body", path, ``, nil, 400, errorBody("DAPR_SCHEDULER_SCHEDULE_EMPTY", "Schedule is empty", both)},
			{"empty object", path, `{}`, nil, 400, errorBody("DAPR_SCHEDULER_SCHEDULE_EMPTY", "Schedule is empty", both)},
			{"no time", path, `{"data":1}`, nil, 400, errorBody("DAPR_SCHEDULER_SCHEDULE_EMPTY", "Schedule is empty", both)},
			{
				"flat and wrapper", path, `{"data":1,"job":{"dueTime":"1s"}}`, nil, 400,
				errorBody("DAPR_SCHEDULER_SCHEDULE_EMPTY", "Schedule is empty", both),
			},
			{
				"neither form", path, `{"jobs":{}}`, nil, 400,
				errorBody("DAPR_SCHEDULER_SCHEDULE_EMPTY", "Schedule is empty"+missing, both),
			},
			{
				"a wrapper that is no object", path, `{"job":"x"}`, nil, 400,
				errorBody("DAPR_SCHEDULER_SCHEDULE_EMPTY", "Schedule is empty"+missing, both),
			},
			{
				"wrapper without time", path, `{"job":{"data":1}}`, nil, 400,
				errorBody("DAPR_SCHEDULER_SCHEDULE_EMPTY", "Schedule is empty"+missing, both),
			},
			{
				"published, empty", path, ``,
				[]string{header},
				400,
				errorBody("DAPR_SCHEDULER_SCHEDULE_EMPTY", "Schedule is empty"+missing, both),
			},
		} {
			f.wantError(c.what, f.send("POST", c.path, c.body, c.headers...), c.code, c.want)
		}
		if calls := f.scheduler.took(); len(calls) > 0 {
			t.Errorf("the scheduler was asked: %v", calls)
		}
		if got := f.send("POST", path, `{"dueTime":"1s"}`+strings.Repeat(" ", 84)); got.code != 204 {
			t.Errorf("a body of exactly the limit: %d %s, want 204", got.code, got.body)
		}
	})
}

func TestInvalidBodyIsMalformed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		for _, body := range []string{
			" ", "\n", "null", "[{}]", `"x"`, "1", "{", `{"dueTime":"1s"} x`, `{"dueTime":"1s"}{}`, `{"dueTime":"1s",}`,
			`{"dueTime":1}`, `{"dueTime":{}}`, `{"schedule":true}`, `{"repeats":1.5}`, `{"repeats":-1}`, `{"repeats":4294967296}`,
			`{"repeats":"x"}`, `{"overwrite":"true"}`, `{"overwrite":1}`, `{"ttl":[]}`, `{"name":1}`,
			`{"dueTime":"1s","due_time":"1s"}`, `{"dueTime":"1s","dueTime":"1s"}`,
			`{"failurePolicy":{},"failure_policy":{}}`,
			`{"dueTime":"1s","data":{"a":1,"a":2}}`, `{"dueTime":"1s","data":1e400}`,
			`{"failurePolicy":{"constant":{"interval":"200ms"}}}`, `{"failurePolicy":{"constant":{"interval":"2m"}}}`,
			`{"failurePolicy":{"constant":{"interval":3}}}`, `{"failurePolicy":{"constant":{"maxRetries":-1}}}`,
			`{"failurePolicy":{"drop":{},"constant":{}}}`, `{"failurePolicy":"drop"}`,
			`{"job":{"dueTime":1}}`, `{"job":{"dueTime":"1s"},"job":{"dueTime":"2s"}}`, `{"job":{"dueTime":"1s","due_time":"1s"}}`,
			"{\"dueTime\":\"\xff\"}", "{\"dueTime\":\"1\x01s\"}", `{"dueTime":"\ud800"}`, "\xef\xbb\xbf{}",
			"\x1f\x8b\x08\x00\x00\x00\x00\x00", "{\x00}", `{'dueTime':'1s'}`, `dueTime: 1s`,
		} {
			got := f.send("POST", "/v1.0/jobs/a", body, "Content-Encoding: gzip")
			e, _ := decode(t, got.body).(map[string]any)
			message, _ := e["message"].(string)
			if got.code != 400 || e["errorCode"] != "ERR_MALFORMED_REQUEST" || e["details"] != nil ||
				!strings.HasPrefix(message, "failed deserializing HTTP body: ") {
				t.Errorf("%q: %d %s, want 400 ERR_MALFORMED_REQUEST", body, got.code, got.body)
			}
		}
	})
}

func TestTruncatedBodyIsReadError(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		got := f.sendRaw("POST", "POST /v1.0/jobs/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"due\r\nzz\r\n")
		e, _ := decode(t, got.body).(map[string]any)
		if got.code != 400 || e["errorCode"] != "ERR_BODY_READ" {
			t.Errorf("a broken chunk: %d %s, want 400 ERR_BODY_READ", got.code, got.body)
		}
		if calls := f.scheduler.took(); len(calls) > 0 {
			t.Errorf("the scheduler was asked: %v", calls)
		}
	})
}

func TestFieldsReachSchedulerUnchanged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		for _, c := range []struct{ body, want string }{
			{`{"schedule":""}`, `{"name":"a","schedule":""}`},
			{`{"schedule":"@daily","repeats":"7"}`, `{"name":"a","schedule":"@daily","repeats":7}`},
			{`{"schedule":"@daily","repeats":3.0}`, `{"name":"a","schedule":"@daily","repeats":3}`},
			{`{"schedule":"@daily","repeats":3e0}`, `{"name":"a","schedule":"@daily","repeats":3}`},
			{`{"schedule":"@daily","repeats":0}`, `{"name":"a","schedule":"@daily","repeats":0}`},
			{`{"due_time":"P1D","ttl":"x","foo":{"bar":[1]},"name":""}`, `{"name":"a","dueTime":"P1D","ttl":"x"}`},
			{
				`{"dueTime":"","name":null,"schedule":null,"ttl":null,"repeats":null,"overwrite":null,"failurePolicy":null}`,
				`{"name":"a","dueTime":""}`,
			},
			{
				`{"dueTime":"1s","failurePolicy":{"constant":{"interval":"0.2s"}}}`,
				`{"name":"a","dueTime":"1s","failurePolicy":{"constant":{"interval":"0.200s"}}}`,
			},
			{
				`{"dueTime":"1s","failure_policy":{"constant":{"interval":"-1s","max_retries":"5"}}}`,
				`{"name":"a","dueTime":"1s","failurePolicy":{"constant":{"interval":"-1s","maxRetries":5}}}`,
			},
			{`{"dueTime":"1s","failurePolicy":{"drop":{}}}`, `{"name":"a","dueTime":"1s","failurePolicy":{"drop":{}}}`},
			{`{"dueTime":"1s","failurePolicy":{"constant":{}}}`, `{"name":"a","dueTime":"1s","failurePolicy":{"constant":{}}}`},
			{`{"dueTime":"<&>\u00e9\u2028"}`, "{\"name\":\"a\",\"dueTime\":\"<&>é\u2028\"}"},
			{
				`{"dueTime":"1s","data":12345678901234567890}`,
				`{"name":"a","dueTime":"1s","data":{"@type":"type.googleapis.com/google.protobuf.Value","value":12345678901234567000}}`,
			},
			{
				`{"dueTime":"1s","data":null}`,
				`{"name":"a","dueTime":"1s","data":{"@type":"type.googleapis.com/google.protobuf.Value","value":null}}`,
			},
		} {
			body := strings.Replace(c.body, "{", `{"overwrite":true,`, 1)
			if strings.Contains(c.body, "overwrite") {
				body = c.body
				f.send("DELETE", "/v1.0/jobs/a", "")
			}
			if got := f.send("POST", "/v1.0/jobs/a", body); got.code != 204 {
				t.Errorf("POST %s = %d %s, want 204", body, got.code, got.body)
			}
			got := f.send("GET", "/v1.0/jobs/a", "")
			if diff := cmp.Diff(decode(t, c.want), decode(t, got.body)); got.code != 200 || diff != "" {
				t.Errorf("GET after %s = %d, unexpected body (-want +got):\n%s", body, got.code, diff)
			}
		}
		if got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`); got.code != 409 {
			t.Errorf("POST without overwrite = %d %s, want 409", got.code, got.body)
		}
		if got := f.send("POST", "/v1.0/jobs/a", `{"job":{"due_time":"1s","overwrite":true}}`); got.code != 202 {
			t.Errorf("POST of a wrapper with overwrite = %d %s, want 202", got.code, got.body)
		}
	})
}

func TestSchedulerErrorDecidesPostStatus(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		for code, want := range map[codes.Code]int{
			codes.InvalidArgument: 400, codes.FailedPrecondition: 400, codes.OutOfRange: 400,
			codes.Unauthenticated: 401, codes.PermissionDenied: 403, codes.NotFound: 404,
			codes.AlreadyExists: 409, codes.Aborted: 409, codes.ResourceExhausted: 429, codes.Unimplemented: 501,
			codes.Unavailable: 503, codes.DeadlineExceeded: 504,
			codes.Unknown: 500, codes.Internal: 500, codes.DataLoss: 500,
		} {
			err := status.Error(code, "no")
			f.scheduler.answersWith(err)
			f.wantError("POST, "+code.String(), f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`), want,
				errorBody("DAPR_SCHEDULER_SCHEDULE_JOB", "failed to schedule job due to: "+err.Error(), both))
			f.wantError("GET, "+code.String(), f.send("GET", "/v1.0/jobs/a", ""), 500,
				errorBody("DAPR_SCHEDULER_GET_JOB", "failed to get job due to: "+err.Error(), both))
			f.wantError("DELETE, "+code.String(), f.send("DELETE", "/v1.0/jobs/a", ""), 500,
				errorBody("DAPR_SCHEDULER_DELETE_JOB", "failed to delete job due to: "+err.Error(), both))
		}
		f.scheduler.answersWith(nil)
		f.wantError("GET of a missing job", f.send("GET", "/v1.0/jobs/w", "", "dapr-app-id: sub"), 500,
			errorBody("DAPR_SCHEDULER_GET_JOB", "failed to get job due to: rpc error: code = NotFound desc = job not found: w", both))
	})
}
