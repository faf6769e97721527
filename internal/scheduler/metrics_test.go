package scheduler_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// wantMetrics compares Dapr's series, without their common prefix and without the histogram's inner
// buckets.
func (n *node) wantMetrics(t *testing.T, when string, want ...string) {
	t.Helper()
	page := httptest.NewRecorder()
	promhttp.HandlerFor(n.metrics, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/", nil))
	var got []string
	for line := range strings.Lines(page.Body.String()) {
		line, ours := strings.CutPrefix(strings.TrimSpace(line), "dapr_scheduler_")
		if ours && !strings.HasPrefix(line, "trigger_latency_") {
			got = append(got, line)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -want +got\n%s", when, diff)
	}
}

func TestCallsAreCountedByResult(t *testing.T) {
	n := run(t)
	n.wantMetrics(t, "at first")

	meta, actor := jobMetadata("ns", "app"), actorMetadata("ns", "app", "type", "id")
	ask := func(name string, m *schedulerv1.JobMetadata, j *schedulerv1.Job) {
		_, err := n.ScheduleJob(t.Context(), &schedulerv1.ScheduleJobRequest{Name: name, Metadata: m, Job: j})
		t.Log(err)
	}
	ask("a", meta, inAnHour())
	ask("a", actor, inAnHour())
	ask("b", actor, inAnHour())
	ask("a", meta, inAnHour())                                                    // exists already
	ask("a/b", meta, inAnHour())                                                  // no name
	ask("b", actor, nil)                                                          // no job
	ask("b", jobMetadata("", "app"), inAnHour())                                  // no namespace
	ask("b", &schedulerv1.JobMetadata{Namespace: "ns", AppId: "app"}, inAnHour()) // nothing: not counted
	for range 2 {                                                                 // the second time there is none
		if _, err := n.DeleteJob(t.Context(), &schedulerv1.DeleteJobRequest{Name: "a", Metadata: meta}); err != nil {
			t.Error(err)
		}
		if _, err := n.DeleteByMetadata(t.Context(), &schedulerv1.DeleteByMetadataRequest{Metadata: actor}); err != nil {
			t.Error(err)
		}
		if _, err := n.DeleteByNamePrefix(t.Context(), &schedulerv1.DeleteByNamePrefixRequest{Metadata: meta}); err != nil {
			t.Error(err)
		}
	}
	n.wantMetrics(t, "after requests",
		`jobs_bulk_deleted_total 4`,
		`jobs_created_failed_total{type="actor"} 1`,
		`jobs_created_failed_total{type="job"} 2`,
		`jobs_created_total{type="actor"} 2`,
		`jobs_created_total{type="job"} 1`,
		`jobs_deleted_total{type="job"} 2`,
		`sidecar_errors_total{reason="auth_failed"} 1`,
	)
}

func TestRefusedCallersAreCountedForEachMethod(t *testing.T) {
	n := run(t)
	calls := []func() error{
		func() error { _, err := n.ScheduleJob(t.Context(), new(schedulerv1.ScheduleJobRequest)); return err },
		func() error { _, err := n.GetJob(t.Context(), new(schedulerv1.GetJobRequest)); return err },
		func() error { _, err := n.DeleteJob(t.Context(), new(schedulerv1.DeleteJobRequest)); return err },
		func() error { _, err := n.ListJobs(t.Context(), new(schedulerv1.ListJobsRequest)); return err },
		func() error {
			_, err := n.DeleteByMetadata(t.Context(), new(schedulerv1.DeleteByMetadataRequest))
			return err
		},
		func() error {
			_, err := n.DeleteByNamePrefix(t.Context(), new(schedulerv1.DeleteByNamePrefixRequest))
			return err
		},
		func() error { _, err := n.watch(t, hello("", "app")).Recv(); return err },
	}
	for i, call := range calls {
		if err := call(); err == nil {
			t.Errorf("call %d was let in", i)
		}
	}
	n.wantMetrics(t, "refused callers", `sidecar_errors_total{reason="auth_failed"} 7`)
}

func TestStreamsAndOutcomesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		e := newEngine(n)
		e.deliver(appTarget("ns", "app"), "no receiver")
		good, bad, gone := n.watch(t, hello("ns", "app")), n.watch(t, hello("ns", "bad")), n.watch(t, hello("ns", "gone"))
		synctest.Wait()
		e.mustDeliver(t, appTarget("ns", "app"), "a")
		e.mustDeliver(t, appTarget("ns", "app"), "b")
		e.mustDeliver(t, appTarget("ns", "bad"), "lost")
		recv(t, good)
		recv(t, good)
		time.Sleep(time.Second)
		send(t, good, wire.Result(1, job.Handled))
		send(t, good, wire.Result(2, job.Failed))
		synctest.Wait()
		n.wantMetrics(t, "three streams",
			`jobs_failed_total{type="job"} 1`,
			`jobs_triggered_total{type="job"} 1`,
			`jobs_undelivered_total{type="job"} 1`,
			`sidecars_connected 3`,
		)
		send(t, bad, new(schedulerv1.WatchJobsRequest)) // breaks the protocol
		if err := gone.CloseSend(); err != nil {        // a regular half-close
			t.Error(err)
		}
		synctest.Wait()
		n.wantMetrics(t, "one stream",
			`jobs_failed_total{type="job"} 1`,
			`jobs_triggered_total{type="job"} 1`,
			`jobs_undelivered_total{type="job"} 2`,
			`sidecar_errors_total{reason="recv_failed"} 1`,
			`sidecars_connected 1`,
		)
	})
}
