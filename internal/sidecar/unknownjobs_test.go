package sidecar_test

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/logtest"
	"carillon/internal/sidecar"
)

func TestUnknownJobIsWarnedOfOncePerPath(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, page, r := newFixture(t), new(logtest.Page), prometheus.NewRegistry()
		f.log = slog.New(slog.NewTextHandler(page, nil))
		f.app(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
		f.run(sidecar.Config{
			Apps: []sidecar.App{{ID: "sub", Address: appAddress}}, Schedulers: []string{schedulerAddress}, Metrics: r,
		})
		w := f.scheduler.stream()
		for i, name := range []string{"a", "a", "b", "c", "a", "b"} {
			w.trigger(uint64(i), name, nil)
			w.wantResult(t, "404", uint64(i), true)
		}
		time.Sleep(time.Minute)
		for _, path := range []string{"POST /job/a", "POST /job/b", "POST /job/c"} {
			if n := strings.Count(page.String(), `path="`+path+`"`); n != 1 {
				t.Errorf("%s is warned of %d times, want once:\n%s", path, n, page)
			}
		}
		if !strings.Contains(page.String(), "level=WARN msg=\"the app does not know a job: the trigger counts as handled, and no code has run; have the app answer this path, or delete the job\"") {
			t.Errorf("the log does not say what to do:\n%s", page)
		}
		wantSeries(t, "attempts", series(r, "carillon_sidecar_attempts_total", "dapr_component_job_failure_count", "dapr_component_job_success_count"),
			`carillon_sidecar_attempts_total{app_id="sub",outcome="not_found"} 6`,
			`dapr_component_job_failure_count{app_id="sub",namespace="",operation="job_trigger_op"} 6`)
	})
}

func TestUnknownJobWarningsAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, page := newFixture(t), new(logtest.Page)
		f.log = slog.New(slog.NewTextHandler(page, nil))
		f.app(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
		f.run(sidecar.Config{Apps: []sidecar.App{{ID: "sub", Address: appAddress}}, Schedulers: []string{schedulerAddress}})
		w := f.scheduler.stream()
		for i := range 1500 {
			w.trigger(uint64(i), "job "+strconv.Itoa(i), nil)
			w.wantResult(t, "404", uint64(i), true)
		}
		time.Sleep(time.Minute)
		if n := strings.Count(page.String(), "does not know a job"); n != 1002 || !strings.Contains(page.String(), "count=499 ") {
			t.Errorf("the log has %d warnings, want one for each of 1000 paths, and two for the rest", n)
		}
	})
}
