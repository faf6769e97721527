package sidecar_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/sidecar"
)

// series returns the metrics whose names have one of the prefixes, one a line, without buckets.
func series(from prometheus.Gatherer, prefixes ...string) []string {
	page := httptest.NewRecorder()
	promhttp.HandlerFor(from, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/", nil))
	var got []string
	for line := range strings.Lines(page.Body.String()) {
		for _, p := range prefixes {
			if strings.HasPrefix(line, p) && !strings.Contains(line, "_bucket{") {
				got = append(got, strings.TrimSpace(line))
			}
		}
	}
	return got
}

func wantSeries(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -want +got\n%s", what, diff)
	}
}

func TestUnusedSeriesIsAbsent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := prometheus.NewPedanticRegistry()
		f := newFixture(t)
		f.run(sidecar.Config{Schedulers: []string{"nowhere:1"}, Metrics: r})
		wantSeries(t, "at the start", series(r, ""))
	})
}

func TestHTTPAppCallsAreCounted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := prometheus.NewPedanticRegistry()
		f := newFixture(t)
		codes := map[string]int{"/job/ok": 204, "/job/unknown": 404, "/job/redirect": 301, "/job/teapot": 418}
		f.app(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/job/hang" {
				<-r.Context().Done()
				panic(http.ErrAbortHandler)
			}
			code, known := codes[r.URL.Path]
			if !known {
				panic(http.ErrAbortHandler)
			}
			time.Sleep(2500 * time.Microsecond)
			w.WriteHeader(code)
			if code == 404 {
				_, _ = io.WriteString(w, "what?")
			}
		})
		f.run(sidecar.Config{
			Apps:       []sidecar.App{{ID: "sub", Address: appAddress}},
			Schedulers: []string{schedulerAddress}, Metrics: r, // and so MetricsNamespace is empty
		})
		w := f.scheduler.stream()
		wantSeries(t, "nothing delivered", series(r, "dapr_component", "dapr_http_client", "carillon"), `carillon_sidecar_streams{app_id="sub"} 3`)
		data := &anypb.Any{TypeUrl: "x", Value: []byte("1234")}
		for i, name := range []string{"ok", "ok", "unknown", "redirect", "teapot", "breaks off"} {
			w.trigger(uint64(i), name, data)
			time.Sleep(time.Second)
			w.result(t)
		}
		w.trigger(6, "undecodable", &anypb.Any{TypeUrl: "type.googleapis.com/google.protobuf.Value", Value: []byte{1}})
		w.result(t)
		w.trigger(7, "hang", nil)
		synctest.Wait()
		wantSeries(t, "one with the app", series(r, "carillon"),
			`carillon_sidecar_attempts_total{app_id="sub",outcome="failed"} 4`,
			`carillon_sidecar_attempts_total{app_id="sub",outcome="handled"} 2`,
			`carillon_sidecar_attempts_total{app_id="sub",outcome="not_found"} 1`,
			`carillon_sidecar_streams{app_id="sub"} 3`,
			`carillon_sidecar_triggers_in_work{app_id="sub"} 1`,
		)
		const job = `{app_id="sub",namespace="",operation="job_trigger_op"`
		wantSeries(t, "jobs", series(r, "dapr_component"),
			`dapr_component_job_failure_count`+job+`} 3`,
			`dapr_component_job_latencies_sum`+job+`,success="false"} 7.5`,
			`dapr_component_job_latencies_count`+job+`,success="false"} 3`,
			`dapr_component_job_latencies_sum`+job+`,success="true"} 5`,
			`dapr_component_job_latencies_count`+job+`,success="true"} 2`,
			`dapr_component_job_success_count`+job+`} 2`,
		)
		f.stop()
		wantSeries(t, "stopped", series(r, "carillon"),
			`carillon_sidecar_attempts_total{app_id="sub",outcome="failed"} 4`,
			`carillon_sidecar_attempts_total{app_id="sub",outcome="handled"} 2`,
			`carillon_sidecar_attempts_total{app_id="sub",outcome="lost"} 1`,
			`carillon_sidecar_attempts_total{app_id="sub",outcome="not_found"} 1`,
			`carillon_sidecar_streams{app_id="sub"} 0`,
			`carillon_sidecar_triggers_in_work{app_id="sub"} 0`,
		)
		wantSeries(t, "what was lost is for none of Dapr's metrics of jobs", series(r, "dapr_component_job_failure"),
			`dapr_component_job_failure_count`+job+`} 3`)
		const call = `{app_id="sub",method="POST",path="/job/{name}",status=`
		wantSeries(t, "calls", series(r, "dapr_http_client_completed", "dapr_http_client_sent_bytes_sum", "dapr_http_client_received"),
			`dapr_http_client_completed_count`+call+`"204"} 2`,
			`dapr_http_client_completed_count`+call+`"301"} 1`,
			`dapr_http_client_completed_count`+call+`"404"} 1`,
			`dapr_http_client_completed_count`+call+`"418"} 1`,
			`dapr_http_client_completed_count`+call+`"500"} 2`,
			`dapr_http_client_received_bytes_sum{app_id="sub"} 5`,
			`dapr_http_client_received_bytes_count{app_id="sub"} 5`,
			`dapr_http_client_sent_bytes_sum`+call+`"204"} 8`,
			`dapr_http_client_sent_bytes_sum`+call+`"301"} 4`,
			`dapr_http_client_sent_bytes_sum`+call+`"404"} 4`,
			`dapr_http_client_sent_bytes_sum`+call+`"418"} 4`,
			`dapr_http_client_sent_bytes_sum`+call+`"500"} 4`,
		)
	})
}

func TestJobLatencyHasDaprBuckets(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := prometheus.NewPedanticRegistry()
		f := newFixture(t)
		f.app(t, ok)
		f.run(sidecar.Config{
			Apps:       []sidecar.App{{ID: "sub", Address: appAddress}},
			Schedulers: []string{schedulerAddress}, Metrics: r, MetricsNamespace: "ns",
		})
		f.scheduler.stream().trigger(1, "a", nil)
		synctest.Wait()
		all, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var got []float64
		for _, m := range all {
			if m.GetName() == "dapr_component_job_latencies" {
				for _, b := range m.GetMetric()[0].GetHistogram().GetBucket() {
					got = append(got, b.GetUpperBound())
				}
			}
		}
		want := []float64{
			1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 250, 300, 400, 500, 650, 800, 1000, 2000,
			5000, 10000, 20000, 50000, 100000,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("unexpected buckets (-want +got):\n%s", diff)
		}
		wantSeries(t, "jobs", series(r, "dapr_component_job_success"),
			`dapr_component_job_success_count{app_id="sub",namespace="ns",operation="job_trigger_op"} 1`)
	})
}

func TestGRPCAppCallsAreCounted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := prometheus.NewPedanticRegistry()
		f := newFixture(t)
		var code codes.Code
		stop := (&grpcApp{stable: func(context.Context) error {
			time.Sleep(2500 * time.Microsecond)
			return status.Error(code, "")
		}}).serve(f)
		f.run(sidecar.Config{
			Apps:       []sidecar.App{{ID: "sub", Protocol: "grpc", Address: appAddress}},
			Schedulers: []string{schedulerAddress}, Metrics: r,
		})
		w := f.scheduler.stream()
		for _, code = range []codes.Code{codes.OK, codes.NotFound, codes.Canceled, codes.Unimplemented} {
			w.trigger(1, "a", nil)
			time.Sleep(time.Second)
			w.result(t)
		}
		stop()
		w.trigger(1, "a", nil) // unlike over HTTP, an app that is down counts
		time.Sleep(time.Minute)
		w.result(t)
		const job = `{app_id="sub",namespace="",operation="job_trigger_op"`
		wantSeries(t, "jobs", series(r, "dapr_component_job_failure", "dapr_component_job_success", "dapr_component_job_latencies_count"),
			`dapr_component_job_failure_count`+job+`} 4`,
			`dapr_component_job_latencies_count`+job+`,success="false"} 4`,
			`dapr_component_job_latencies_count`+job+`,success="true"} 1`,
			`dapr_component_job_success_count`+job+`} 1`,
		)
		const stable = `app_id="sub",grpc_client_method="/dapr.proto.runtime.v1.AppCallback/OnJobEvent",grpc_client_status=`
		const alpha = `app_id="sub",grpc_client_method="/dapr.proto.runtime.v1.AppCallbackAlpha/OnJobEventAlpha1",grpc_client_status=`
		wantSeries(t, "calls", series(r, "dapr_grpc_io_client_completed", "dapr_grpc_io_client_roundtrip_latency_sum{"+stable+`"OK"`),
			`dapr_grpc_io_client_completed_rpcs{`+stable+`"Canceled"} 1`,
			`dapr_grpc_io_client_completed_rpcs{`+stable+`"NotFound"} 1`,
			`dapr_grpc_io_client_completed_rpcs{`+stable+`"OK"} 1`,
			`dapr_grpc_io_client_completed_rpcs{`+stable+`"Unavailable"} 1`,
			`dapr_grpc_io_client_completed_rpcs{`+stable+`"Unimplemented"} 1`,
			`dapr_grpc_io_client_completed_rpcs{`+alpha+`"Unimplemented"} 1`,
			`dapr_grpc_io_client_roundtrip_latency_sum{`+stable+`"OK"} 2.5`,
		)
	})
}

func TestJobsAreNotCountedWithoutApp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := prometheus.NewPedanticRegistry()
		f := newFixture(t)
		f.run(sidecar.Config{Schedulers: []string{schedulerAddress}, Metrics: r})
		w := f.scheduler.stream()
		w.trigger(1, "a", nil)
		w.wantResult(t, "no app", 1, false)
		wantSeries(t, "no app", series(r, "dapr_component", "carillon_sidecar_attempts"),
			`carillon_sidecar_attempts_total{app_id="sub",outcome="failed"} 1`)
	})
}

func TestAPICallsAreCounted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := prometheus.NewPedanticRegistry()
		f := newFixture(t)
		f.run(sidecar.Config{Schedulers: []string{schedulerAddress}, Metrics: r})
		for _, path := range []string{
			"/v1.0/jobs/a", "/v1.0-alpha1/jobs/b", "/v1.0/job/a%2Fb", "/v1.0/jobs", "/v1.0/jobs/a/b", "/", "/v1.0/healthz",
			"/v1.0//healthz/", "/v1.0/healthz/outbound", "/v1.0/whatever/1", "/v1.0/whatever/2",
		} {
			f.send("GET", path, "")
		}
		f.send("POST", "/v1.0/jobs/c", `{"dueTime":"1s"}`)
		f.send("BREW", "/v1.0/jobs/a", "")
		f.send("FETCH", "/v1.0/jobs/a", "")
		request := func(method, path, status string) string {
			return `dapr_http_server_request_count{app_id="sub",method="` + method + `",path="` + path + `",status="` + status + `"} `
		}
		wantSeries(t, "over HTTP", series(r, "dapr_http_server_request_count"),
			request("GET", "/v1.0-alpha1/jobs/{name}", "500")+"1",
			request("GET", "/v1.0/healthz", "204")+"2",
			request("GET", "/v1.0/healthz/outbound", "204")+"1",
			request("GET", "/v1.0/job/{name}", "500")+"1",
			request("GET", "/v1.0/jobs", "501")+"1",
			request("GET", "/v1.0/jobs/{name}", "500")+"1",
			request("GET", "other", "404")+"4",
			request("POST", "/v1.0/jobs/{name}", "204")+"1",
			request("other", "/v1.0/jobs/{name}", "404")+"2",
		)
		wantSeries(t, "bodies", series(r, "dapr_http_server_request_bytes"),
			`dapr_http_server_request_bytes_sum{app_id="sub"} 16`, `dapr_http_server_request_bytes_count{app_id="sub"} 14`)

		conn := f.grpc()
		_, _ = runtimev1.NewDaprClient(conn).GetJob(t.Context(), &runtimev1.GetJobRequest{Name: "a"})
		for _, method := range []string{"/dapr.proto.runtime.v1.Dapr/Made", "/dapr.proto.runtime.v1.Dapr/Up", "/a.b/C"} {
			err := conn.Invoke(t.Context(), method, &runtimev1.GetJobRequest{}, &runtimev1.GetJobResponse{})
			if status.Code(err) != codes.Unimplemented {
				t.Errorf("%s = %v, want Unimplemented", method, err)
			}
		}
		synctest.Wait()
		wantSeries(t, "over gRPC", series(r, "dapr_grpc_io_server_completed", "dapr_grpc_io_server_received_bytes_per_rpc_sum"),
			`dapr_grpc_io_server_completed_rpcs{app_id="sub",grpc_server_method="/dapr.proto.runtime.v1.Dapr/GetJob",grpc_server_status="Internal"} 1`,
			`dapr_grpc_io_server_completed_rpcs{app_id="sub",grpc_server_method="other",grpc_server_status="Unimplemented"} 3`,
			`dapr_grpc_io_server_received_bytes_per_rpc_sum{app_id="sub",grpc_server_method="/dapr.proto.runtime.v1.Dapr/GetJob",grpc_server_status="Internal"} 3`,
			`dapr_grpc_io_server_received_bytes_per_rpc_sum{app_id="sub",grpc_server_method="other",grpc_server_status="Unimplemented"} 0`,
		)
		const sched = `dapr_grpc_io_client_completed_rpcs{app_id="sub",grpc_client_method="/dapr.proto.scheduler.v1.Scheduler/`
		wantSeries(t, "to the scheduler", series(r, "dapr_grpc_io_client_completed"),
			`dapr_grpc_io_client_completed_rpcs{app_id="sub",grpc_client_method="/carillon.v1.Bulk/ListJobsPage",grpc_client_status="Unimplemented"} 1`,
			sched+`GetJob",grpc_client_status="NotFound"} 4`,
			sched+`ScheduleJob",grpc_client_status="OK"} 1`,
		)
	})
}

func TestProbesAreCounted(t *testing.T) {
	for protocol, want := range map[string][]string{
		"http": {
			`carillon_sidecar_app_healthy{app_id="sub"} 0`,
			`dapr_http_healthprobes_completed_count{app_id="sub",status="300"} 3`,
			`dapr_http_healthprobes_completed_count{app_id="sub",status="other"} 1`, // 299 has no name
		},
		"grpc": {
			`carillon_sidecar_app_healthy{app_id="sub"} 0`,
			`dapr_grpc_io_healthprobes_completed_rpcs{app_id="sub",grpc_client_status="OK"} 1`,
			`dapr_grpc_io_healthprobes_completed_rpcs{app_id="sub",grpc_client_status="Unimplemented"} 3`,
		},
	} {
		t.Run(protocol, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := prometheus.NewPedanticRegistry()
				var p healthApp
				f := newFixture(t)
				p.serve(f, appAddress, protocol)
				f.run(sidecar.Config{Apps: []sidecar.App{checked(protocol)}, Schedulers: []string{schedulerAddress}, Metrics: r})
				wantSeries(t, "healthy", series(r, "carillon_sidecar_app_healthy"), `carillon_sidecar_app_healthy{app_id="sub"} 1`)
				p.sick.Store(true)
				time.Sleep(16 * time.Second)
				synctest.Wait()
				wantSeries(t, "three failures",
					series(r, "carillon_sidecar_app_healthy", "dapr_http_healthprobes_completed", "dapr_grpc_io_healthprobes_completed"), want...)
			})
		})
	}
}

func TestWaitingTriggersAreNotCountedAsCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := prometheus.NewPedanticRegistry()
		f := newFixture(t)
		f.app(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		f.run(sidecar.Config{
			Apps:       []sidecar.App{{ID: "sub", Address: appAddress, MaxConcurrency: 1}},
			Schedulers: []string{schedulerAddress}, Metrics: r,
		})
		for i := range uint64(50) {
			f.scheduler.stream().trigger(i, "a", nil)
		}
		synctest.Wait()
		f.stop()
		wantSeries(t, "stopped", series(r, "carillon_sidecar_attempts", "dapr_http_client_completed"),
			`carillon_sidecar_attempts_total{app_id="sub",outcome="lost"} 50`,
			`dapr_http_client_completed_count{app_id="sub",method="POST",path="/job/{name}",status="500"} 1`,
		)
	})
}
