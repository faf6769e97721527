package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/sidecar"
)

// today is the header that selects the dialect of today's daprd, for the default app.
var today = [2]string{"dapr-app-id", ""}

func withDefaultApp(c *sidecar.Config) { c.DefaultApp = "sub" }

// asGiven returns JSON texts that a google.protobuf.Value would change.
func asGiven() []string {
	return []string{
		`12345678901234567890`, `9007199254740993`, `1.0`, `[1.10,1e2,-0,1e-400]`, `{"b":1,"a":{"d":2,"c":[3]}}`,
		`{"@type":"type.googleapis.com/google.type.Expr","expression":"x","a":null}`, `"\u00e9\/\ud83d\uDE00"`, `{"\u0062":1,"a\/":"<&>"}`,
	}
}

func TestDataKeepsItsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		w := start(t, disk, withDefaultApp)
		defer func() { w.stop() }()
		want := make(map[string]string)
		for i, data := range asGiven() {
			body := `"dueTime":"1h","data":` + data
			names := make([]string, 5)
			for form := range names {
				names[form] = fmt.Sprintf("%d-%d", i, form)
				want[names[form]] = data
			}
			w.schedule(names[0], "{"+body+"}")
			w.schedule(names[1], `{"job":{`+body+"}}")
			if code, answer := w.call("POST", "/v1.0/jobs/"+names[2], "{"+body+"}", today); code != http.StatusNoContent {
				t.Fatalf("POST: %d %s", code, answer)
			}
			code, answer := w.call("POST", "/v1/jobs/batch", `[{"name":"`+names[3]+`",`+body+`},{"name":"`+names[4]+`","job":{`+body+`}}]`)
			if code != http.StatusOK {
				t.Fatalf("a batch: %d %s", code, answer)
			}
		}
		check := func() {
			for name, data := range want {
				if code, answer := w.call("GET", "/v1.0/jobs/"+name, ""); code != http.StatusAccepted || !strings.Contains(answer, `"data":`+data+`,"failurePolicy"`) {
					t.Errorf("GET as published: %d %s, want %s", code, answer, data)
				}
				wrapped := `"data":{"@type":"type.googleapis.com/google.protobuf.Value","value":` + data + `},"failurePolicy"`
				if code, answer := w.call("GET", "/v1.0/jobs/"+name, "", today); code != http.StatusOK || !strings.Contains(answer, wrapped) {
					t.Errorf("GET: %d %s, want %s", code, answer, wrapped)
				}
			}
		}
		check()
		w.stop()
		w = start(t, disk, withDefaultApp) // it is stored so
		check()

		// A client of the gRPC API has the bytes, and may schedule them again.
		c, ctx := w.client()
		list, err := c.ListJobs(ctx, &runtimev1.ListJobsRequest{})
		if err != nil || len(list.GetJobs()) != len(want) {
			t.Fatalf("ListJobs: %v, %v", list, err)
		}
		for _, j := range list.GetJobs() {
			if _, err := c.ScheduleJob(ctx, &runtimev1.ScheduleJobRequest{Job: j, Overwrite: true}); err != nil {
				t.Fatal(err)
			}
		}
		check()
		time.Sleep(time.Hour)
		synctest.Wait()
		got := w.app.requests()
		if len(got) != len(want) {
			t.Errorf("%d triggers, want %d", len(got), len(want))
		}
		for _, r := range got {
			if data := want[strings.TrimPrefix(r.path, "POST /job/")]; r.body != data || r.length != int64(len(data)) {
				t.Errorf("the app received %+v, want %s", r, data)
			}
		}
	})
}

// malformedRequest is a request with one error.
type malformedRequest struct{ method, path, body string }

func malformed() []malformedRequest {
	all := []malformedRequest{}
	for _, field := range []string{
		`"dueTime":"tomorrow"`, `"dueTime":""`, `"dueTime":"5"`, `"dueTime":"P1H"`, `"dueTime":"-99999999h"`, `"dueTime":"2026-13-01T00:00:00Z"`,
		`"schedule":""`, `"schedule":"* * * * *"`, `"schedule":"61 * * * * *"`, `"schedule":"0 0 0 30 2 *"`, `"schedule":"TZ=No/Where * * * * * *"`,
		`"schedule":"@every"`, `"schedule":"@every x"`, `"schedule":"@every -1s"`, `"schedule":"@often"`, `"schedule":"@every 0s"`,
		`"schedule":"@daily","repeats":0`, `"dueTime":"1s","repeats":2`, `"dueTime":"1s","ttl":"1s"`,
		`"schedule":"@daily","ttl":"soon"`, `"schedule":"@daily","ttl":""`, `"schedule":"@daily","dueTime":"2h","ttl":"1999-01-01T00:00:00Z"`,
		`"dueTime":"1s","failurePolicy":{"constant":{"interval":"300000000000s"}}`,
		`"dueTime":"PT30s"`, `"schedule":"@daily","ttl":"P1d"`,
		`"dueTime":1`, `"dueTime":"1s","repeats":-1`, `"dueTime":"1s","repeats":1.5`, `"dueTime":"1s","overwrite":1`, `"dueTime":"1s","data":1e400`,
		`"dueTime":"1s","data":{"a":1,"a":2}`, `"data":1`, `"name":"b","dueTime":"1s"`, `"dueTime":"1s","failurePolicy":{"constant":{"interval":"5m"}}`,
		`"dueTime":"1s"`[:8], `"dueTime":"1s","dueTime":"2s"`,
	} {
		all = append(all, malformedRequest{"POST", "/v1.0-alpha1/jobs/a", "{" + field + "}"}, malformedRequest{"POST", "/v1.0-alpha1/jobs/a", `{"job":{` + field + "}}"})
	}
	for _, name := range []string{"a%2Fb", "a%5Cb", "a%23b", "a%3Fb", "a%00b", "a%0Ab", "a%C2%85b", strings.Repeat("x", 600), "%FF"} {
		all = append(all, malformedRequest{"POST", "/v1.0-alpha1/jobs/" + name, `{"dueTime":"1s"}`},
			malformedRequest{"GET", "/v1.0-alpha1/jobs/" + name, ""}, malformedRequest{"GET", "/v1.0/job/" + name, ""}, malformedRequest{"DELETE", "/v1.0-alpha1/jobs/" + name, ""})
	}
	for _, body := range []string{"", " ", "null", "[]", "1", "{", `{"dueTime":"1s"}}`, "{}", `{"job":null}`, `{"jobs":{}}`, "\xff", strings.Repeat(" ", 5<<20)} {
		all = append(all, malformedRequest{"POST", "/v1.0-alpha1/jobs/a", body})
	}
	return append(all, malformedRequest{"POST", "/v1.0-alpha1/jobs/%20", `{"dueTime":"1s"}`})
}

// TestMalformedRequestIs400 covers each error that a client can make in a request to a known route, and
// well-formed requests that cannot be carried out.
func TestMalformedRequestIs400(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem(), withDefaultApp)
		defer w.stop()
		for _, r := range malformed() {
			code, answer := w.call(r.method, r.path, r.body)
			var e struct{ ErrorCode, Message string }
			if err := json.Unmarshal([]byte(answer), &e); code != http.StatusBadRequest || err != nil || e.ErrorCode == "" || e.Message == "" {
				t.Errorf("%s %.80s %.80s: %d %.200s, want 400 and why", r.method, r.path, r.body, code, answer)
			}
		}
		for _, field := range []string{`"dueTime":"tomorrow"`, `"schedule":"61 * * * * *"`, `"schedule":"@daily","repeats":0`, `"schedule":"@daily","ttl":"x"`} {
			// The wrapped form is in the published dialect without a header; in a batch each job has its own.
			if code, answer := w.call("POST", "/v1.0/jobs/a", `{"job":{`+field+`}}`, today); code != http.StatusBadRequest {
				t.Errorf("%s, wrapped: %d %s, want 400", field, code, answer)
			}
			code, answer := w.call("POST", "/v1/jobs/batch", `[{"name":"a",`+field+`},{"name":"a","job":{`+field+`}}]`, today)
			if code != http.StatusMultiStatus || !strings.HasPrefix(answer, `[{"name":"a","status":500,`) || !strings.Contains(answer, `,{"name":"a","status":400,`) {
				t.Errorf("%s, a batch: %d %s, want 500 in today's form and 400 in the other", field, code, answer)
			}
			if code, answer := w.call("POST", "/v1.0/jobs/a", "{"+field+"}", today); code != http.StatusInternalServerError {
				t.Errorf("%s, today: %d %s, want Dapr's 500", field, code, answer)
			}
		}

		w.schedule("taken", `{"dueTime":"1h"}`)
		for what, c := range map[string]struct {
			method, path, body string
			code               int
		}{
			"a name that is taken":    {"POST", "/v1.0/jobs/taken", `{"dueTime":"1s"}`, http.StatusConflict},
			"data of 3 MB":            {"POST", "/v1.0/jobs/large", `{"dueTime":"1s","data":"` + strings.Repeat("x", 3_000_000) + `"}`, http.StatusTooManyRequests},
			"a missing job":           {"GET", "/v1.0/jobs/missing", "", http.StatusInternalServerError},
			"an odd name":             {"GET", "/v1.0/jobs/%20%25%7C%7C", "", http.StatusInternalServerError},
			"a missing job to delete": {"DELETE", "/v1.0/jobs/missing", "", http.StatusAccepted},
		} {
			if code, answer := w.call(c.method, c.path, c.body); code != c.code {
				t.Errorf("%s: %d %s, want %d", what, code, answer, c.code)
			}
		}
	})
}

func TestMalformedGRPCCallIsInvalidArgument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem(), withDefaultApp)
		defer w.stop()
		c, published := w.client()
		schedule := func(j *runtimev1.Job) func(context.Context) error {
			return func(ctx context.Context) error {
				_, err := c.ScheduleJob(ctx, &runtimev1.ScheduleJobRequest{Job: j})
				return err
			}
		}
		calls := map[string]func(context.Context) error{
			"dueTime":  schedule(&runtimev1.Job{Name: "a", DueTime: new("tomorrow")}),
			"schedule": schedule(&runtimev1.Job{Name: "a", Schedule: new("* * * * *")}),
			"repeats":  schedule(&runtimev1.Job{Name: "a", Schedule: new("@daily"), Repeats: new(uint32(0))}),
			"ttl":      schedule(&runtimev1.Job{Name: "a", Schedule: new("@daily"), Ttl: new("x")}),
			"name":     schedule(&runtimev1.Job{Name: "a/b", DueTime: new("1s")}),
			"get": func(ctx context.Context) error {
				_, err := c.GetJob(ctx, &runtimev1.GetJobRequest{Name: "a/b"})
				return err
			},
			"delete": func(ctx context.Context) error {
				_, err := c.DeleteJob(ctx, &runtimev1.DeleteJobRequest{Name: "a/b"})
				return err
			},
			"prefix": func(ctx context.Context) error {
				_, err := c.DeleteJobsByPrefix(ctx, &runtimev1.DeleteJobsByPrefixRequest{NamePrefix: new("a/b")})
				return err
			},
		}
		for what, call := range calls {
			if err := call(published); status.Code(err) != codes.InvalidArgument {
				t.Errorf("%s: %v, want InvalidArgument", what, err)
			}
			if err := call(t.Context()); status.Code(err) != codes.Internal {
				t.Errorf("%s, without the app: %v, want Dapr's Internal", what, err)
			}
		}
		if _, err := c.GetJob(published, &runtimev1.GetJobRequest{Name: "missing"}); status.Code(err) != codes.Internal {
			t.Errorf("a missing job: %v, want Internal", err)
		}
	})
}
