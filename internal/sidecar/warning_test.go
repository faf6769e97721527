package sidecar_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"carillon/internal/logtest"
	"carillon/internal/sidecar"
)

// meaningless returns texts that Dapr accepts and reads as a duration of zero.
func meaningless() []string {
	return []string{"PT30s", "P1d", "PT", "P1", "P30", "Pxx", "PT5m", "R0/PT", "P0DT30s"}
}

// warned runs a sidecar, and returns its log.
func warned(t *testing.T) (*fixture, *logtest.Page) {
	t.Helper()
	return warnedOr(t, false)
}

// warnedOr runs a sidecar that may be strict, and returns its log.
func warnedOr(t *testing.T, strict bool) (*fixture, *logtest.Page) {
	t.Helper()
	f, page := newFixture(t), new(logtest.Page)
	f.log = slog.New(slog.NewTextHandler(page, nil))
	f.app(t, func(http.ResponseWriter, *http.Request) {})
	f.run(sidecar.Config{Schedulers: []string{schedulerAddress}, Strict: strict, Apps: []sidecar.App{{ID: "sub", Address: appAddress}}})
	return f, page
}

func TestMeaninglessDurationIsRefusedWhenPublished(t *testing.T) {
	for _, text := range meaningless() {
		t.Run(text, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f, page := warned(t)
				for _, body := range []string{`{"dueTime":"` + text + `"}`, `{"schedule":"@daily","ttl":"` + text + `"}`} {
					for _, request := range []struct{ path, body, header string }{
						{"/v1.0-alpha1/jobs/a", body, "dapr-app-id: sub"},
						{"/v1.0-alpha1/job/a", body, "X: y"},
						{"/v1.0-alpha1/jobs/a", `{"job":` + body + `}`, "X: y"},
					} {
						got := f.send("POST", request.path, request.body, request.header)
						if got.code != http.StatusBadRequest || !strings.Contains(got.body, `"errorCode":"DAPR_SCHEDULER_SCHEDULE_JOB"`) ||
							!strings.Contains(got.body, `\"`+text+`\" says nothing: units are upper-case letters`) || len(got.header.Values("Warning")) > 0 {
							t.Errorf("%s %s: %d %v %s, want 400 and what to write", request.path, request.body, got.code, got.header, got.body)
						}
					}
					got := f.send("POST", batchPath, `[{"name":"a",`+body[1:]+`]`, "dapr-app-id: sub")
					if got.code != http.StatusMultiStatus || !strings.Contains(got.body, `"status":400`) {
						t.Errorf("a batch with %s: %d %s, want 400 for the job", body, got.code, got.body)
					}
					got = f.send("POST", batchPath, `[{"name":"a","job":`+body+`}]`)
					if got.code != http.StatusMultiStatus || !strings.Contains(got.body, `"status":400`) {
						t.Errorf("a batch with %s in an object: %d %s, want 400 for the job", body, got.code, got.body)
					}
				}
				if took := f.scheduler.took(); slices.ContainsFunc(took, func(call string) bool { return strings.Contains(call, "Schedule") }) {
					t.Errorf("the scheduler was asked: %v", took)
				}
				if f.scheduler.job("default|sub|a") != nil || strings.Contains(page.String(), "level=WARN") {
					t.Errorf("what was refused was scheduled, or warned of:\n%s", page)
				}
			})
		})
	}
}

func TestMeaninglessDurationGetsWarning(t *testing.T) {
	for _, text := range meaningless() {
		t.Run(text, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f, page := warned(t)
				got := f.send("POST", "/v1.0-alpha1/jobs/a", `{"dueTime":"`+text+`","schedule":"@daily","ttl":"`+text+`"}`)
				want := []string{
					`299 - "dueTime \"` + text + `\" says nothing: units are upper-case letters behind whole numbers, as in P1D, PT5M or PT30S; as it is, the job is due at once"`,
					`299 - "ttl \"` + text + `\" says nothing: units are upper-case letters behind whole numbers, as in P1D, PT5M or PT30S; as it is, the job ends as soon as it begins"`,
				}
				if got.code != http.StatusNoContent || !slices.Equal(got.header.Values("Warning"), want) {
					t.Errorf("POST = %d %q, want 204 %q", got.code, got.header.Values("Warning"), want)
				}
				if due := f.scheduler.job("default|sub|a").GetJob().GetDueTime(); due != text {
					t.Errorf("the scheduler was told %q, want the text as it was given", due)
				}
				var header metadata.MD
				r := &runtimev1.ScheduleJobRequest{Job: &runtimev1.Job{Name: "b", DueTime: &text}}
				if _, err := runtimev1.NewDaprClient(f.grpc()).ScheduleJob(t.Context(), r, grpc.Header(&header)); err != nil {
					t.Error(err)
				}
				if got := header.Get("warning"); !slices.Equal(got, want[:1]) {
					t.Errorf("over gRPC the header has %q, want %q", got, want[:1])
				}
				if n := strings.Count(page.String(), "level=WARN msg=\"a request was accepted that may not do what its author thinks\""); n != 3 {
					t.Errorf("the log has %d warnings, want 3:\n%s", n, page)
				}
			})
		})
	}
}

func TestIgnoredDurationPartGetsWarning(t *testing.T) {
	for _, text := range []string{"PT1M30", "P1DT12h", "PT1H30m", "P1Dxx"} {
		t.Run(text, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f, _ := warned(t)
				for header, code := range map[string]int{"dapr-app-id: sub": http.StatusAccepted, "X: y": http.StatusNoContent} {
					got := f.send("POST", "/v1.0-alpha1/jobs/a", `{"overwrite":true,"dueTime":"`+text+`"}`, header)
					if warnings := got.header.Values("Warning"); got.code != code || len(warnings) != 1 ||
						!strings.HasPrefix(warnings[0], `299 - "dueTime \"`+text+`\" ends in \"`) || !strings.HasSuffix(warnings[0], `; as it is, that is ignored"`) {
						t.Errorf("%s: %d %q, want %d and what is ignored", header, got.code, warnings, code)
					}
				}
			})
		})
	}
}

func TestPlainOrFailedRequestHasNoWarning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, page := warned(t)
		if got := f.send("POST", "/v1.0-alpha1/jobs/a", `{"dueTime":"PT30S"}`); got.code != http.StatusNoContent || got.header.Get("Warning") != "" {
			t.Errorf("a plain request: %d %v", got.code, got.header)
		}
		f.scheduler.answersWith(status.Error(codes.AlreadyExists, "taken"))
		if got := f.send("POST", "/v1.0-alpha1/jobs/a", `{"dueTime":"PT30s"}`); got.code != http.StatusConflict || got.header.Get("Warning") != "" {
			t.Errorf("a request that fails: %d %v", got.code, got.header)
		}
		if strings.Contains(page.String(), "level=WARN") {
			t.Errorf("the log warns:\n%s", page)
		}
	})
}

// Whatever a client sends, the header and the log stay small and printable.
func TestWarningsAreLimitedAndPrintable(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, page := warned(t)
		var jobs []string
		for i := range 500 {
			jobs = append(jobs, fmt.Sprintf(`{"name":"%d\u20ac","dueTime":"P1D\"\\\n\u20ac%s"}`, i, strings.Repeat("x", 1000)))
		}
		got := f.send("POST", batchPath, "["+strings.Join(jobs, ",")+"]")
		warnings := got.header.Values("Warning")
		if got.code != http.StatusOK || len(warnings) != 8 {
			t.Errorf("%d with %d warnings, want 200 with 8", got.code, len(warnings))
		}
		for i, w := range warnings {
			if len(w) > 1100 || strings.ContainsFunc(w, func(r rune) bool { return r < ' ' || r > '~' }) || !strings.HasPrefix(w, fmt.Sprintf(`299 - "job \"%d`, i)) {
				t.Errorf("warning %d is %q", i, w)
			}
		}
		if n := strings.Count(page.String(), "level=WARN"); n > 10 {
			t.Errorf("the log has %d warnings at one moment", n)
		}
	})
}
