package sidecar_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
	"carillon/internal/logtest"
	"carillon/internal/sidecar"
)

// doubtful returns bodies that Dapr accepts and that do less than they seem to, with the beginning
// of their warnings.
func doubtful() map[string]string {
	return map[string]string{
		`{"dueTime":"5s","payload":1,"data":1}`:                                 `the field \"payload\" is ignored`,
		`{"job":{"dueTime":"5s","retries":3,"data":1}}`:                         `the field \"job.retries\" is ignored`,
		`{"dueTime":"5s","data":1,"failurePolicy":{"never":{}}}`:                `the field \"failurePolicy.never\" is ignored`,
		`{"dueTime":"5s","data":1,"failurePolicy":{}}`:                          `the failure policy is ignored`,
		`{"dueTime":"5s","data":1,"job":{"dueTime":"1h"}}`:                      `the object \"job\" is ignored`,
		`{"schedule":"@daily","data":1,"ttl":"1999-01-01T00:00:00Z"}`:           `ttl \"1999-01-01T00:00:00Z\" ends at 1999-01-01T00:00:00Z, before the job is first due`,
		`{"schedule":"@daily","data":1,"ttl":"1h","failurePolicy":{"drop":{}}}`: `ttl \"1h\" ends at`,
		`{"schedule":"@every 1h","data":1,"ttl":"PT1M30"}`:                      `ttl \"PT1M30\" ends in \"30\"`,
		`{"dueTime":"5s"}`: `the job has no data`,
	}
}

func TestDoubtfulRequestGetsWarning(t *testing.T) {
	for body, want := range doubtful() {
		t.Run(body, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f, page := warned(t)
				got := f.send("POST", "/v1.0-alpha1/jobs/a", body, "Content-Type: application/json; charset=utf-8")
				warnings := got.header.Values("Warning")
				if got.code != http.StatusNoContent && got.code != http.StatusAccepted || len(warnings) == 0 || !strings.HasPrefix(warnings[0], `299 - "`+want) {
					t.Errorf("POST = %d %q, want that it is accepted with %q", got.code, warnings, want)
				}
				if f.scheduler.job("default|sub|a") == nil || !strings.Contains(page.String(), `level=WARN msg="a request was accepted that may not do what its author thinks" component=sidecar app=sub namespace=default job=a warning="`+want) {
					t.Errorf("it is not scheduled, or not logged:\n%s", page)
				}
				if want == "the job has no data" {
					return // the content type of a batch is not that of its jobs
				}
				got = f.send("POST", batchPath, `[{"name":"b",`+body[1:]+`]`, "Content-Type: application/json")
				if warnings := got.header.Values("Warning"); got.code != http.StatusOK || len(warnings) == 0 || !strings.HasPrefix(warnings[0], `299 - "job \"b\": `+want) {
					t.Errorf("a batch: %d %q, want that it is accepted with %q", got.code, warnings, want)
				}
			})
		})
	}
}

func TestStrictRefusesDoubtfulRequest(t *testing.T) {
	all := doubtful()
	all[`{"dueTime":"PT30s","data":1}`] = `dueTime \"PT30s\" says nothing`
	for body, want := range all {
		t.Run(body, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f, page := warnedOr(t, true)
				got := f.send("POST", "/v1.0-alpha1/jobs/a", body, "Content-Type: application/json")
				if got.code != http.StatusBadRequest || len(got.header.Values("Warning")) > 0 || !strings.Contains(got.body, `"message":"failed to schedule job due to: `+want) {
					t.Errorf("POST = %d %v %s, want 400 because %s", got.code, got.header, got.body, want)
				}
				if want != "the job has no data" {
					got = f.send("POST", batchPath, `[{"name":"a",`+body[1:]+`]`)
					if got.code != http.StatusMultiStatus || !strings.Contains(got.body, `"status":400`) {
						t.Errorf("a batch: %d %s, want 400 for the job", got.code, got.body)
					}
				}
				if f.scheduler.job("default|sub|a") != nil || strings.Contains(page.String(), "level=WARN") {
					t.Errorf("it was scheduled, or warned of:\n%s", page)
				}
				if got := f.send("POST", "/v1.0-alpha1/jobs/plain", `{"schedule":"@daily","ttl":"P1Y","data":null,"failurePolicy":{"drop":{}}}`, "Content-Type: application/json"); got.code != http.StatusNoContent {
					t.Errorf("a plain request: %d %s", got.code, got.body)
				}
			})
		})
	}
}

func TestDoubtfulGRPCRequestGetsWarningOrError(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprint("strict ", strict), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f, _ := warnedOr(t, strict)
				var header metadata.MD
				r := &runtimev1.ScheduleJobRequest{Job: &runtimev1.Job{
					Name: "a", Schedule: new("@daily"), Ttl: new("1999-01-01T00:00:00Z"), FailurePolicy: &commonv1.JobFailurePolicy{},
				}}
				_, err := runtimev1.NewDaprClient(f.grpc()).ScheduleJob(t.Context(), r, grpc.Header(&header))
				got := header.Get("warning")
				switch {
				case strict && (status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "the failure policy is ignored") || !strings.Contains(err.Error(), "ttl") || len(got) > 0):
					t.Errorf("%v %q, want an InvalidArgument", err, got)
				case !strict && (err != nil || len(got) != 2 || !strings.HasPrefix(got[0], `299 - "the failure policy is ignored`) || !strings.HasPrefix(got[1], `299 - "ttl `)):
					t.Errorf("%v %q, want two warnings", err, got)
				}
			})
		})
	}
}

func TestUnservedAppIsWarnedOf(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, page := newFixture(t), new(logtest.Page)
		f.log = slog.New(slog.NewTextHandler(page, nil))
		f.run(sidecar.Config{
			Schedulers: []string{schedulerAddress}, AnyApp: true,
			// Of which the first is not up yet.
			Apps:      []sidecar.App{{ID: "here", Address: appAddress}, {ID: "portless"}},
			Connected: func(t job.Target) bool { return t.Name == "elsewhere" },
		})
		for app, want := range map[string][]string{
			"here": nil, "elsewhere": nil,
			"portless": {`299 - "the sidecar of the app \"portless\" has no port of the app, so that triggers that come to it fail: give it --app-port"`},
			"sbu":      {`299 - "no sidecar serves the app \"sbu\": the job waits until one is connected; check the app id"`},
		} {
			got := f.send("POST", "/v1.0-alpha1/jobs/a", `{"dueTime":"5s"}`, "dapr-app-id: "+app)
			if got.code != http.StatusAccepted || !slices.Equal(got.header.Values("Warning"), want) {
				t.Errorf("%s: %d %q, want 202 with %q", app, got.code, got.header.Values("Warning"), want)
			}
			got = f.send("POST", batchPath, `[{"name":"b","dueTime":"5s"},{"name":"c","dueTime":"5s"}]`, "dapr-app-id: "+app)
			if got.code != http.StatusOK || !slices.Equal(got.header.Values("Warning"), want) {
				t.Errorf("a batch of %s: %d %q, want 200 with %q", app, got.code, got.header.Values("Warning"), want)
			}
		}
	})
}

func TestJobThatNeverRunsIsWarnedOf(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, _ := warned(t)
		got := f.send("POST", "/v1.0-alpha1/jobs/a", `{"schedule":"@every 1h","ttl":"PT1M30"}`)
		warnings := got.header.Values("Warning")
		if got.code != http.StatusNoContent || len(warnings) != 2 || !strings.HasSuffix(warnings[1], `the job is not stored, and never runs"`) {
			t.Errorf("POST = %d %q, want 204, and a warning that the job never runs", got.code, warnings)
		}
	})
}
