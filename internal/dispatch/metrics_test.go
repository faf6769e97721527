package dispatch_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"carillon/internal/dispatch"
	"carillon/internal/job"
)

// wantMetrics compares the series whose names begin with the prefix.
func wantMetrics(t *testing.T, from prometheus.Gatherer, prefix string, want ...string) {
	t.Helper()
	page := httptest.NewRecorder()
	promhttp.HandlerFor(from, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/", nil))
	var got []string
	for line := range strings.Lines(page.Body.String()) {
		if strings.HasPrefix(line, prefix) && !strings.HasPrefix(line, "#") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestZeroCounterHasNoSeries(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	dispatch.New(dispatch.Config{Metrics: r})
	wantMetrics(t, r, "",
		`carillon_dispatch_out 0`,
		`carillon_dispatch_waiting 0`,
	)
}

func TestEachOutcomeIsCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prometheus.NewPedanticRegistry()
		d := dispatch.New(dispatch.Config{MaxInFlight: 5, Metrics: r})
		actor := job.Target{Kind: job.Actor, Namespace: "ns", Name: "type"}
		d.Deliver(trigger(app("a"), "x"), ignore, ignoreWake) // undelivered
		d.Deliver(trigger(actor, "x"), ignore, ignoreWake)    // undelivered
		s := d.Connect([]job.Target{app("a"), actor})
		for _, target := range []job.Target{app("a"), app("a"), app("a"), actor, actor} {
			mustAccept(t, d, trigger(target, "x"), ignore)
			next(t, s)
		}
		d.Deliver(trigger(app("a"), "x"), ignore, ignoreWake) // a stream is connected
		time.Sleep(100*time.Millisecond + 500*time.Microsecond)
		s.Settle(1, job.Handled)
		s.Settle(1, job.Handled) // ignored
		time.Sleep(400 * time.Millisecond)
		s.Settle(2, job.Failed)
		time.Sleep(time.Hour)
		s.Settle(4, job.Failed)
		wantMetrics(t, r, "",
			`carillon_dispatch_ignored_results_total 1`,
			`carillon_dispatch_out 2`,
			`carillon_dispatch_waiting 0`,
			`dapr_scheduler_jobs_failed_total{type="actor"} 1`,
			`dapr_scheduler_jobs_failed_total{type="job"} 1`,
			`dapr_scheduler_jobs_triggered_total{type="job"} 1`,
			`dapr_scheduler_jobs_undelivered_total{type="actor"} 1`,
			`dapr_scheduler_jobs_undelivered_total{type="job"} 1`,
			`dapr_scheduler_trigger_latency_bucket{type="actor",le="100"} 0`,
			`dapr_scheduler_trigger_latency_bucket{type="actor",le="500"} 0`,
			`dapr_scheduler_trigger_latency_bucket{type="actor",le="1000"} 0`,
			`dapr_scheduler_trigger_latency_bucket{type="actor",le="5000"} 0`,
			`dapr_scheduler_trigger_latency_bucket{type="actor",le="10000"} 0`,
			`dapr_scheduler_trigger_latency_bucket{type="actor",le="+Inf"} 1`,
			`dapr_scheduler_trigger_latency_sum{type="actor"} 3.6005005e+06`,
			`dapr_scheduler_trigger_latency_count{type="actor"} 1`,
			`dapr_scheduler_trigger_latency_bucket{type="job",le="100"} 0`,
			`dapr_scheduler_trigger_latency_bucket{type="job",le="500"} 1`,
			`dapr_scheduler_trigger_latency_bucket{type="job",le="1000"} 2`,
			`dapr_scheduler_trigger_latency_bucket{type="job",le="5000"} 2`,
			`dapr_scheduler_trigger_latency_bucket{type="job",le="10000"} 2`,
			`dapr_scheduler_trigger_latency_bucket{type="job",le="+Inf"} 2`,
			`dapr_scheduler_trigger_latency_sum{type="job"} 601`,
			`dapr_scheduler_trigger_latency_count{type="job"} 2`,
		)
		s.Close() // two are lost
		wantMetrics(t, r, "dapr_scheduler_jobs_undelivered_total",
			`dapr_scheduler_jobs_undelivered_total{type="actor"} 2`,
			`dapr_scheduler_jobs_undelivered_total{type="job"} 2`,
		)
	})
}

func TestLabelsOfLimitsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prometheus.NewPedanticRegistry()
		d := dispatch.New(dispatch.Config{Metrics: r})
		for i := range 2000 {
			actor := job.Target{Kind: job.Actor, Namespace: "ns", Name: "T" + strconv.Itoa(i/4)}
			key := strconv.Itoa(i) + strings.Repeat("k", i)
			limits := []dispatch.ConcurrencyLimit{{Target: actor, Key: &key, Max: 1}}
			if i%2 == 0 {
				limits = append(limits, dispatch.ConcurrencyLimit{Target: actor, Max: 1})
			}
			s := d.Connect([]job.Target{actor}, limits...)
			for range 2 {
				tr := trigger(actor, "x")
				tr.ConcurrencyKey = &key
				mustAccept(t, d, tr, ignore)
			}
			s.Close()
		}
		all, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		series := 0
		for _, family := range all {
			series += len(family.GetMetric())
			for _, m := range family.GetMetric() {
				for _, l := range m.GetLabel() {
					if len(l.GetValue()) > 256 {
						t.Errorf("%s has a label of %d bytes, want 256 at most", family.GetName(), len(l.GetValue()))
					}
				}
			}
		}
		if series > 250 {
			t.Errorf("there are %d series, want 250 at most", series)
		}
	})
}
