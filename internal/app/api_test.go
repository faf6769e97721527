package app_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"carillon/internal/sidecar"
)

// These tests call the API of a whole node and check what the app receives.

// client returns a client of the gRPC API, and a context with the app id sub.
func (w *world) client() (runtimev1.DaprClient, context.Context) {
	w.t.Helper()
	conn, err := grpc.NewClient("passthrough:///api", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return w.grpc.DialContext(ctx) }))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	return runtimev1.NewDaprClient(conn), metadata.AppendToOutgoingContext(w.t.Context(), "dapr-app-id", "sub")
}

func TestDataReachesAppUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem())
		defer w.stop()
		for _, data := range []string{"", `null`, `""`, `0`, `false`, `[]`, `{}`, `"text"`, `{"a":[1,2.5,{"b":null}]}`} {
			body := `{"dueTime":"1s"}`
			if data != "" {
				body = `{"dueTime":"1s","data":` + data + `}`
			}
			w.schedule("a", body)
			time.Sleep(time.Second)
			synctest.Wait()
			got := w.app.requests()
			if len(got) != 1 || got[0].body != data || got[0].length != int64(len(data)) {
				t.Errorf("data %s: the app received %+v, want the data and its length", data, got)
			}
		}
	})
}

func TestJobNameSurvivesRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem())
		defer w.stop()
		long := strings.Repeat("n", 300)
		for path, name := range map[string]string{
			"a+b": "a b", "a%2Bb": "a+b", "%2e%2e": "..", "my||job@name": "my||job@name", long: long, "%F0%9F%98%80": "😀",
			"%20x%20": "x", "100%25": "100%",
		} {
			w.schedule(path, `{"dueTime":"1s"}`)
			again := strings.ReplaceAll(url.QueryEscape(name), ".", "%2e")
			if code, answer := w.call("GET", "/v1.0/jobs/"+again, ""); code != http.StatusAccepted || !strings.Contains(answer, name) {
				t.Errorf("GET %q = %d %s, want the job", name, code, answer)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if got := w.app.requests(); len(got) != 1 || got[0].path != "POST /job/"+name {
				t.Errorf("%q reached the app as %+v", name, got)
			}
			w.schedule(path, `{"dueTime":"1s"}`)
			if code, answer := w.call("DELETE", "/v1.0/jobs/"+again, ""); code != http.StatusAccepted {
				t.Errorf("DELETE %q = %d %s, want 202", name, code, answer)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if got := w.app.requests(); len(got) != 0 {
				t.Errorf("%q was deleted, and reached the app as %+v", name, got)
			}
		}
		for _, path := range []string{"a%2Fb", "a%5Cb", "a%23b", "a%3Fb", "a%0Ab", strings.Repeat("n", 600)} {
			code, answer := w.call("POST", "/v1.0/jobs/"+path, `{"dueTime":"1s"}`)
			if code != http.StatusBadRequest || !strings.Contains(answer, "job name is invalid") {
				t.Errorf("POST %s = %d %s, want 400 and what is wrong with the name", path, code, answer)
			}
		}
	})
}

func TestFailurePolicyIsReturnedWithDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem())
		defer w.stop()
		for given, shown := range map[string]string{
			`{}`:                               `{"constant":{"interval":"1s","maxRetries":3}}`,
			`null`:                             `{"constant":{"interval":"1s","maxRetries":3}}`,
			`{"constant":{}}`:                  `{"constant":{}}`,
			`{"constant":{"interval":"0.2s"}}`: `{"constant":{"interval":"0.200s"}}`,
			`{"drop":{}}`:                      `{"drop":{}}`,
		} {
			w.schedule("a", `{"dueTime":"1h","overwrite":true,"failurePolicy":`+given+`}`)
			if _, answer := w.call("GET", "/v1.0/jobs/a", ""); !strings.Contains(answer, `"failurePolicy":`+shown) {
				t.Errorf("the policy %s is shown as %s, want %s", given, answer, shown)
			}
		}
	})
}

func TestJobsAreListedAndDeletedByPrefix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem())
		defer w.stop()
		c, ctx := w.client()
		for _, name := range []string{"a1", "a2", "b", "ä"} {
			w.schedule(name, `{"dueTime":"1h","data":"x"}`)
		}
		w.call("POST", "/v1.0/jobs/a3", `{"dueTime":"1h"}`, [2]string{"dapr-app-id", "subject"})
		names := func() string {
			t.Helper()
			res, err := c.ListJobs(ctx, &runtimev1.ListJobsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, j := range res.GetJobs() {
				if j.GetDueTime() != "1h" || j.Schedule != nil || j.Repeats != nil || j.GetData() == nil {
					t.Errorf("the list has %v, want what was scheduled", j)
				}
				all = append(all, j.GetName())
			}
			slices.Sort(all)
			return strings.Join(all, " ")
		}
		remove := func(prefix *string) error {
			_, err := c.DeleteJobsByPrefix(ctx, &runtimev1.DeleteJobsByPrefixRequest{NamePrefix: prefix})
			return err
		}
		for _, step := range []struct {
			prefix *string
			left   string
		}{{new("x"), "a1 a2 b ä"}, {new("a"), "b ä"}, {nil, ""}} {
			if err := remove(step.prefix); err != nil {
				t.Errorf("delete = %v", err)
			}
			if got := names(); got != step.left {
				t.Errorf("left are %q, want %q", got, step.left)
			}
		}
		if code, _ := w.call("GET", "/v1.0/jobs/a3", "", [2]string{"dapr-app-id", "subject"}); code != http.StatusAccepted {
			t.Errorf("GET of another app's job = %d, want 202", code)
		}
		err := remove(new("a/b"))
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "failed to delete job due to: rpc error: code = Unknown") {
			t.Errorf("a prefix that no name can have: %v, want InvalidArgument with the scheduler's reason", err)
		}
	})
}

func TestAPITokenAndAppTokenStaySeparate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem(), func(c *sidecar.Config) { c.APIToken, c.AppToken = "api", "app" })
		defer w.stop()
		for _, token := range []string{"", "app"} {
			if code, _ := w.call("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`, [2]string{"dapr-api-token", token}); code != 401 {
				t.Errorf("POST with the token %q = %d, want 401", token, code)
			}
		}
		c, ctx := w.client()
		req := &runtimev1.ScheduleJobRequest{Job: &runtimev1.Job{Name: "b", DueTime: new("1s")}}
		if _, err := c.ScheduleJob(ctx, req); status.Code(err) != codes.Unauthenticated {
			t.Errorf("ScheduleJob without a token = %v, want Unauthenticated", err)
		}
		if _, err := c.ScheduleJob(metadata.AppendToOutgoingContext(ctx, "dapr-api-token", "api"), req); err != nil {
			t.Errorf("ScheduleJob = %v", err)
		}
		w.call("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`, [2]string{"dapr-api-token", "api"})
		time.Sleep(time.Second)
		synctest.Wait()
		got := w.app.requests()
		if len(got) != 2 {
			t.Fatalf("the app received %+v, want both jobs", got)
		}
		for _, r := range got {
			if r.token != "app" {
				t.Errorf("%s came with the token %q, want the app's", r.path, r.token)
			}
		}
	})
}
