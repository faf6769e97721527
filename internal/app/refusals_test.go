package app_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/sidecar"
)

var update = flag.Bool("update", false, "write the golden file of refusals")

const refusals = "testdata/refusals.txt"

// refusal is a wrong request.
type refusal struct {
	what, method, path, body string
	token                    string // of the call
}

// scheduled returns wrong requests to schedule the job a, for HTTP in each dialect and for gRPC.
func scheduled() []refusal {
	var all []refusal
	for _, c := range [...][2]string{
		{"a five-field line of a crontab", `{"schedule":"*/5 * * * *"}`},
		{"a five-field line with a zone", `{"schedule":"TZ=Europe/Berlin 30 9 * * MON-FRI"}`},
		{"a five-field line with Sunday as 7", `{"schedule":"0 9 * * 7"}`},
		{"a five-field line with a range to Sunday as 7", `{"schedule":"0 9 * * 1-7"}`},
		{"a five-field line with another mistake", `{"schedule":"0 9 * * 8"}`},
		{"a zone at the end", `{"schedule":"0 0 9 * * * Europe/Berlin"}`},
		{"a zone at the end of five fields", `{"schedule":"0 9 * * * UTC"}`},
		{"a misspelled zone", `{"schedule":"TZ=Europe/Berln 0 0 9 * * *"}`},
		{"a zone without its region", `{"schedule":"CRON_TZ=Berlin 0 0 9 * * *"}`},
		{"a zone that is none", `{"schedule":"TZ=Middle/Earth 0 0 9 * * *"}`},
		{"a zone and nothing else", `{"schedule":"TZ=Europe/Berlin"}`},
		{"a zone before an interval", `{"schedule":"TZ=Europe/Berlin @every 1h"}`},
		{"the last day of the month", `{"schedule":"0 0 0 L * *"}`},
		{"a long name of a day", `{"schedule":"0 0 0 * * Monday"}`},
		{"an hour too many", `{"schedule":"0 0 24 * * *"}`},
		{"a range the wrong way round", `{"schedule":"0 0 0 * * fri-mon"}`},
		{"a year", `{"schedule":"0 0 12 * * ? 2030"}`},
		{"a date that no month has", `{"schedule":"0 0 0 30 2 *"}`},
		{"an interval without @every", `{"schedule":"5m"}`},
		{"@every with days", `{"schedule":"@every 1d"}`},
		{"@every in ISO 8601", `{"schedule":"@every PT5M"}`},
		{"@every without a unit", `{"schedule":"@every 90"}`},
		{"@every without the last unit", `{"schedule":"@every 1h30"}`},
		{"a negative @every", `{"schedule":"@every -5m"}`},
		{"@every below a millisecond", `{"schedule":"@every 1us"}`},
		{"@every 0s without repeats", `{"schedule":"@every 0s"}`},
		{"@every 0s too often", `{"schedule":"@every 0s","repeats":5000}`},
		{"an unknown descriptor", `{"schedule":"@reboot"}`},
		{"a schedule in words", `{"schedule":"each morning"}`},
		{"an empty schedule", `{"schedule":""}`},
		{"a schedule that is over", `{"schedule":"@every 2500000h","dueTime":"9999-12-31T00:00:00Z"}`},
		{"a due time in words", `{"dueTime":"tomorrow"}`},
		{"a due time without a zone", `{"dueTime":"2030-12-24T18:00:00"}`},
		{"a due time with a blank", `{"dueTime":"2030-12-24 18:00:00Z"}`},
		{"a due time without a unit", `{"dueTime":"30"}`},
		{"a due time in days", `{"dueTime":"1d"}`},
		{"a due time in lower-case ISO 8601", `{"dueTime":"p1d"}`},
		{"a schedule as due time", `{"dueTime":"@daily"}`},
		{"a repetition as due time", `{"dueTime":"R5/PT10S"}`},
		{"a due time out of range", `{"dueTime":"P9000Y"}`},
		{"an empty due time", `{"dueTime":""}`},
		{"a due time that says nothing", `{"dueTime":"PT30s"}`},
		{"a ttl without a schedule", `{"dueTime":"10s","ttl":"1h"}`},
		{"a ttl in words", `{"schedule":"@daily","ttl":"a week"}`},
		{"a ttl before the due time", `{"schedule":"@daily","dueTime":"2030-01-01T00:00:00Z","ttl":"2029-01-01T00:00:00Z"}`},
		{"repeats without a schedule", `{"dueTime":"10s","repeats":3}`},
		{"repeats of zero", `{"schedule":"@daily","repeats":0}`},
		{"nothing that says when", `{"data":1}`},
		{"a name that is taken", `{"dueTime":"1h"}`},
	} {
		all = append(all, refusal{what: c[0], method: "POST", path: "/v1.0/jobs/a", body: c[1]})
	}
	all[len(all)-1].path = "/v1.0/jobs/taken"
	return append(
		all,
		refusal{what: "a name with a slash", method: "POST", path: "/v1.0/jobs/a%2Fb", body: `{"dueTime":"1h"}`},
		refusal{what: "a name with a control character", method: "POST", path: "/v1.0/jobs/a%0Ab", body: `{"dueTime":"1h"}`},
		refusal{what: "a name that is too long", method: "POST", path: "/v1.0/jobs/" + strings.Repeat("n", 600), body: `{"dueTime":"1h"}`},
		refusal{what: "a job of 3 MB", method: "POST", path: "/v1.0/jobs/a", body: `{"dueTime":"1h","data":"` + strings.Repeat("x", 3_000_000) + `"}`},
	)
}

// requested returns wrong requests that are possible over HTTP only.
func requested() []refusal {
	return []refusal{
		{what: "a policy's interval as a Go duration", method: "POST", path: "/v1.0/jobs/a", body: `{"schedule":"@daily","failurePolicy":{"constant":{"interval":"5m"}}}`},
		{what: "a policy's interval in words", method: "POST", path: "/v1.0/jobs/a", body: `{"schedule":"@daily","failurePolicy":{"constant":{"interval":"soon"}}}`},
		{what: "a policy's interval as a number", method: "POST", path: "/v1.0/jobs/a", body: `{"schedule":"@daily","failurePolicy":{"constant":{"interval":5}}}`},
		{what: "a key twice in data", method: "POST", path: "/v1.0/jobs/a", body: `{"dueTime":"1h","data":{"a":1,"a":2}}`},
		{what: "half a surrogate pair in data", method: "POST", path: "/v1.0/jobs/a", body: `{"dueTime":"1h","data":"\ud83d"}`},
		{what: "a number too large in data", method: "POST", path: "/v1.0/jobs/a", body: `{"dueTime":"1h","data":1e400}`},
		{what: "a field beside the wrapper", method: "POST", path: "/v1.0/jobs/a", body: `{"job":{"dueTime":"1h"},"overwrite":true}`},
		{what: "a policy that is a word", method: "POST", path: "/v1.0/jobs/a", body: `{"schedule":"@daily","failurePolicy":"drop"}`},
		{what: "a due time that is a number", method: "POST", path: "/v1.0/jobs/a", body: `{"dueTime":30}`},
		{what: "repeats that are negative", method: "POST", path: "/v1.0/jobs/a", body: `{"schedule":"@daily","repeats":-1}`},
		{what: "overwrite that is a text", method: "POST", path: "/v1.0/jobs/a", body: `{"dueTime":"1h","overwrite":"yes"}`},
		{what: "a field in both spellings", method: "POST", path: "/v1.0/jobs/a", body: `{"dueTime":"1h","due_time":"2h"}`},
		{what: "a body that is no JSON", method: "POST", path: "/v1.0/jobs/a", body: `dueTime: 1h`},
		{what: "a body with a comma too many", method: "POST", path: "/v1.0/jobs/a", body: `{"dueTime":"1h",}`},
		{what: "an empty body", method: "POST", path: "/v1.0/jobs/a"},
		{what: "a wrapper with a typing error", method: "POST", path: "/v1.0/jobs/a", body: `{"jobs":{"dueTime":"1h"}}`},
		{what: "a field with a typing error", method: "POST", path: "/v1.0/jobs/a", body: `{"duetime":"1h"}`},
		{what: "a name in the body", method: "POST", path: "/v1.0/jobs/a", body: `{"name":"a","dueTime":"1h"}`},
		{what: "a blank name", method: "POST", path: "/v1.0/jobs/%20", body: `{"dueTime":"1h"}`},
		{what: "a body of 5 MB", method: "POST", path: "/v1.0/jobs/a", body: `{"dueTime":"1h","data":"` + strings.Repeat("x", 5_000_000) + `"}`},
		{what: "a job that is not there", method: "GET", path: "/v1.0/jobs/missing"},
		{what: "a wrong name to look for", method: "GET", path: "/v1.0/jobs/a%2Fb"},
		{what: "a wrong name to delete", method: "DELETE", path: "/v1.0/jobs/a%2Fb"},
		{what: "a list of jobs with another verb", method: "POST", path: "/v1.0/jobs"},
		{what: "a page size of 0", method: "GET", path: "/v1.0/jobs?pageSize=0"},
		{what: "a page size that is too large", method: "GET", path: "/v1.0/jobs?pageSize=1001"},
		{what: "a page token that was made up", method: "GET", path: "/v1.0/jobs?pageToken=next"},
		{what: "a page token of another list", method: "GET", path: "/v1.0/jobs?pageToken=AQAAAAAAAAAAYg"},
		{what: "a parameter with a typing error", method: "GET", path: "/v1.0/jobs?pagesize=1"},
		{what: "a parameter twice", method: "GET", path: "/v1.0/jobs?pageSize=1&pageSize=2"},
		{what: "a malformed query", method: "GET", path: "/v1.0/jobs?namePrefix=%zz"},
		{what: "a prefix that no name has", method: "GET", path: "/v1.0/jobs?namePrefix=a%2Fb"},
		{what: "another verb", method: "PUT", path: "/v1.0/jobs/a", body: `{"dueTime":"1h"}`},
		{what: "a name with a slash in the path", method: "GET", path: "/v1.0/jobs/a/b"},
		{what: "another version", method: "POST", path: "/v1/jobs/a", body: `{"dueTime":"1h"}`},
		{what: "another verb for the health", method: "POST", path: "/v1.0/healthz"},
		{what: "another verb to shut down", method: "GET", path: "/v1.0/shutdown"},
		{what: "another API of Dapr's", method: "POST", path: "/v1.0/publish/pubsub/topic", body: `{}`},
		{what: "no token", method: "GET", path: "/v1.0/jobs/a", token: "none"},
		{what: "a wrong token", method: "GET", path: "/v1.0/jobs/a", token: "wrong"},
		{what: "a batch that is an object", method: "POST", path: "/v1/jobs/batch", body: `{"name":"a","dueTime":"1h"}`},
		{what: "a batch that ends early", method: "POST", path: "/v1/jobs/batch", body: `[`},
		{what: "a batch with a job that is wrong", method: "POST", path: "/v1/jobs/batch", body: `[{"name":"a","schedule":"*/5 * * * *"},{"name":"taken","dueTime":"1h"},{"dueTime":"1h"}]`},
	}
}

// TestEachRefusalSaysWhatToDo compares the responses to wrong requests with a golden file, so that a
// change of one shows in review. Run it with -update to write the file.
func TestEachRefusalSaysWhatToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem(), func(c *sidecar.Config) { c.APIToken = "secret"; c.DefaultApp = "sub" })
		defer w.stop()
		if code, answer := w.ask(refusal{method: "POST", path: "/v1.0/jobs/taken", body: `{"dueTime":"1h"}`}, ""); code != http.StatusNoContent {
			t.Fatalf("POST = %d %s", code, answer)
		}
		var b strings.Builder
		fmt.Fprintln(&b, "Wrong requests, and what they are answered: TestEachRefusalSaysWhatToDo writes this file with -update.")
		for _, r := range append(scheduled(), requested()...) {
			fmt.Fprintf(&b, "\n## %s\n%s %.60s %.120s\n", r.what, r.method, r.path, r.body)
			code, today := w.ask(r, "")
			fmt.Fprintf(&b, "%d %s\n", code, today)
			if code < 400 && code != http.StatusMultiStatus {
				fmt.Fprintln(&b, "(accepted)")
			}
			if code, published := w.ask(r, "sub"); published != today {
				fmt.Fprintf(&b, "published: %d %s\n", code, published)
			} else {
				fmt.Fprintf(&b, "published: %d, same\n", code)
			}
			_, _ = w.ask(refusal{method: "DELETE", path: "/v1.0/jobs/a"}, "")
		}
		for _, r := range scheduled() {
			fmt.Fprintf(&b, "\n## gRPC: %s\n%s", r.what, w.askGRPC(r))
		}
		got := b.String()
		if *update {
			if err := os.WriteFile(refusals, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
		want, err := os.ReadFile(refusals)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("answers have changed (-want +got); read the difference, and run this test with -update:\n%s", diff)
		}
	})
}

// ask makes a request in the published dialect for an app. It returns the response without the parts
// that differ between runs.
func (w *world) ask(r refusal, app string) (code int, answer string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), r.method, "http://localhost:3500"+r.path, strings.NewReader(r.body))
	if err != nil {
		w.t.Fatal(err)
	}
	if app != "" {
		req.Header.Set("dapr-app-id", app)
	}
	switch r.token {
	case "":
		req.Header.Set("dapr-api-token", "secret")
	case "wrong":
		req.Header.Set("dapr-api-token", "other")
	}
	code, header, text := w.do(req)
	for _, warning := range header.Values("Warning") {
		answer += "\nWarning: " + warning
	}
	return code, strings.ReplaceAll(strings.TrimSpace(text), "\u00a0", " ") + answer
}

// askGRPC schedules the job of r over gRPC, and returns the code, message and details of the status.
func (w *world) askGRPC(r refusal) string {
	w.t.Helper()
	var body struct {
		Schedule, DueTime, TTL, Data *string
		Repeats                      *uint32
	}
	_ = json.Unmarshal([]byte(r.body), &body)
	name := strings.NewReplacer("%2F", "/", "%0A", "\n").Replace(strings.TrimPrefix(r.path, "/v1.0/jobs/"))
	j := &runtimev1.Job{Name: name, Schedule: body.Schedule, DueTime: body.DueTime, Ttl: body.TTL, Repeats: body.Repeats}
	if body.Data != nil {
		j.Data = &anypb.Any{Value: []byte(*body.Data)}
	}
	client, ctx := w.client()
	ctx = metadata.AppendToOutgoingContext(ctx, "dapr-api-token", "secret")
	_, err := client.ScheduleJob(ctx, &runtimev1.ScheduleJobRequest{Job: j})
	s := status.Convert(err)
	var b strings.Builder
	fmt.Fprintf(&b, "%v: %s\n", s.Code(), s.Message())
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			fmt.Fprintf(&b, "  ErrorInfo %s\n", d.GetReason())
		case *errdetails.BadRequest:
			fmt.Fprintf(&b, "  BadRequest %s: %s\n", d.GetFieldViolations()[0].GetField(), d.GetFieldViolations()[0].GetDescription())
		case *errdetails.Help:
			fmt.Fprintf(&b, "  Help: %s\n", d.GetLinks()[0].GetDescription())
		}
	}
	return b.String()
}
