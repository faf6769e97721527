package sidecar_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"carillon/internal/bulkv1"
	"carillon/internal/sidecar"
)

const (
	billing     = `"ext":{"labels":{"team":"billing"},"description":"invoices"}`
	billingBody = `{"dueTime":"1h",` + billing + `}`
)

func billingExt() *bulkv1.JobExt {
	return &bulkv1.JobExt{Labels: map[string]string{"team": "billing"}, Description: "invoices"}
}

func TestExtReachesSchedulerAndComesBack(t *testing.T) {
	for _, body := range []string{billingBody, `{"job":` + billingBody + `}`} {
		bubble(t, func(t *testing.T) {
			f, bulk := startBulk(t, sidecar.Config{})
			got := f.send("POST", "/v1.0-alpha1/jobs/a", body)
			if got.code/100 != 2 || strings.Contains(fmt.Sprint(got.header["Warning"]), "ignored") {
				t.Fatalf("POST %s = %d %s, warnings %q", body, got.code, got.body, got.header["Warning"])
			}
			if diff := cmp.Diff(billingExt(), bulk.ext("default|sub|a"), protocmp.Transform()); diff != "" {
				t.Errorf("%s: the scheduler got (-want +got):\n%s", body, diff)
			}
			got = f.send("GET", "/v1.0/jobs/a", "")
			if want := `{"name":"a","dueTime":"1h",` + billing + `}`; got.code != 200 || got.body != want {
				t.Errorf("GET = %d %s, want %s", got.code, got.body, want)
			}
		})
	}
}

func TestOverwriteReplacesExt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, bulk := startBulk(t, sidecar.Config{})
		f.send("POST", "/v1.0/jobs/a", billingBody)
		if got := f.send("POST", "/v1.0/jobs/a", billingBody); got.code != 409 || !strings.Contains(got.body, "set overwrite to true") {
			t.Errorf("a job of this name: %d %s, want 409", got.code, got.body)
		}
		if got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1h","overwrite":true,"ext":{"labels":{"team":"mail"}}}`); got.code != 204 {
			t.Errorf("%d %s", got.code, got.body)
		}
		want := &bulkv1.JobExt{Labels: map[string]string{"team": "mail"}}
		if diff := cmp.Diff(want, bulk.ext("default|sub|a"), protocmp.Transform()); diff != "" {
			t.Errorf("the scheduler got (-want +got):\n%s", diff)
		}
	})
}

// A job without an ext, or with an empty one, costs what it cost.
func TestEmptyExtIsOneCallOfDaprsService(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, bulk := startBulk(t, sidecar.Config{})
		for i, ext := range []string{``, `,"ext":null`, `,"ext":{}`, `,"ext":{"labels":{},"description":""}`} {
			if got := f.send("POST", fmt.Sprint("/v1.0/jobs/", i), `{"dueTime":"1h"`+ext+`}`); got.code != 204 {
				t.Errorf("%s: %d %s", ext, got.code, got.body)
			}
		}
		if calls := f.scheduler.took(); len(bulk.seen()) > 0 || !slices.Equal(calls, []string{"schedule", "schedule", "schedule", "schedule"}) {
			t.Errorf("calls with many jobs: %v, others: %q; want four of ScheduleJob", bulk.seen(), calls)
		}
	})
}

func TestWrongExtIsRefusedBeforeScheduler(t *testing.T) {
	eitherScheduler(t, sidecar.Config{}, func(f *fixture) {
		for ext, want := range map[string]string{
			`{"lables":{"a":"b"}}`:           `"help":"did you mean \"labels\"?"`,
			`{"labels":{"team":"bill ing"}}`: `ext.labels: the value \"bill ing\" of \"team\" is malformed`,
			`{"description":7}`:              `ext.description: it is 7`,
		} {
			for _, body := range []string{`{"dueTime":"1h","ext":` + ext + `}`, `{"job":{"dueTime":"1h","ext":` + ext + `}}`} {
				got := f.send("POST", "/v1.0-alpha1/jobs/a", body)
				if got.code != 400 || !strings.Contains(got.body, want) || !strings.Contains(got.body, `"errorCode":"DAPR_SCHEDULER_SCHEDULE_JOB"`) {
					f.t.Errorf("%s: %d %s, want 400 with %s", body, got.code, got.body, want)
				}
			}
			line := `{"name":"a","dueTime":"1h","ext":` + ext + `}` + "\n"
			if got := f.send("POST", batchPath, line, asLines); got.code != 207 || !strings.Contains(got.body, `"status":400`) || !strings.Contains(got.body, want) {
				f.t.Errorf("in a batch: %d %s, want 400 with %s", got.code, got.body, want)
			}
		}
		if calls := f.scheduler.took(); len(calls) > 0 {
			f.t.Errorf("the scheduler was asked: %v", calls)
		}
	})
}

func TestExtIsNeverDroppedByOtherSchedulers(t *testing.T) {
	test := func(f *fixture) {
		got := f.send("POST", "/v1.0/jobs/a", billingBody)
		if got.code != 501 || !strings.Contains(got.body, "the scheduler cannot store the ext of a job") || !strings.Contains(got.body, `"help":"labels and descriptions need a scheduler of Carillon`) {
			f.t.Errorf("%d %s, want 501 and what to do", got.code, got.body)
		}
		lines := `{"name":"b","dueTime":"1h"}` + "\n" + `{"name":"c",` + billingBody[1:] + "\n" + `{"name":"d","dueTime":"1h"}` + "\n"
		got = f.send("POST", batchPath, lines, asLines)
		results := strings.Split(strings.TrimSpace(got.body), "\n")
		if got.code != 207 || len(results) != 3 || results[0] != `{"name":"b","status":204}` || results[2] != `{"name":"d","status":204}` ||
			!strings.HasPrefix(results[1], `{"name":"c","status":501,`) {
			f.t.Errorf("a batch: %d %s, want the second job alone to be refused", got.code, got.body)
		}
		for name, want := range map[string]bool{"a": false, "b": true, "c": false, "d": true} {
			if got := f.scheduler.job("default|sub|"+name) != nil; got != want {
				f.t.Errorf("the job %s is stored: %v, want %v", name, got, want)
			}
		}
	}
	t.Run("Dapr's", func(t *testing.T) { bubble(t, func(t *testing.T) { test(start(t, sidecar.Config{})) }) })
	t.Run("an older one of ours", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			f, bulk := startBulk(t, sidecar.Config{})
			bulk.becomeOld()
			test(f)
		})
	})
}

func TestBatchWithExtIsFewCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, bulk := startBulk(t, sidecar.Config{})
		var lines strings.Builder
		for i := range 1500 {
			ext := ""
			if i%3 == 1 {
				ext = fmt.Sprintf(`,"ext":{"labels":{"n":"%d"}}`, i)
			}
			fmt.Fprintf(&lines, `{"name":"job%d","dueTime":"1h"%s}`+"\n", i, ext)
		}
		if got := f.send("POST", batchPath, lines.String(), asLines); got.code != 200 {
			t.Fatalf("%d %.500s", got.code, got.body)
		}
		if calls := bulk.seen(); len(calls) > 2 {
			t.Errorf("calls with %v jobs, want two", calls)
		}
		for i := range 1500 {
			ext := bulk.ext(fmt.Sprint("default|sub|job", i))
			if want := map[bool]string{true: fmt.Sprint(i)}[i%3 == 1]; ext.GetLabels()["n"] != want {
				t.Errorf("job %d has the label %q, want %q", i, ext.GetLabels()["n"], want)
			}
		}
	})
}
