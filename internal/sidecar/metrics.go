package sidecar

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
)

// metrics are those of a daprd that jobs move (sidecar specification §6), and some of our own, which begin with
// carillon_. A series appears when it is first used. No label takes values without bound: paths are patterns, methods
// those that exist or "other", and codes as metricslabel.go has them.
type metrics struct {
	api        apiMetrics
	schedulers *family[rpc, rpcSeries]     // our unary calls of schedulers
	of         func(app string) appMetrics // to be called once for each app
}

// appMetrics are those of one app.
type appMetrics struct {
	attempts *family[attemptLabel, prometheus.Counter]
	jobs     *family[bool, callSeries]     // calls, by whether the app took the trigger
	http     *family[httpCode, httpSeries] // calls over HTTP, by status
	grpc     *family[rpc, rpcSeries]       // calls over gRPC
	received func() prometheus.Observer    // bytes of the body of an answer over HTTP

	httpProbes *family[httpCode, callSeries] // by status
	grpcProbes *family[codes.Code, callSeries]

	healthy, inWork, streams func() prometheus.Gauge
}

// A callSeries is what is counted of a kind of call, and what is measured of it, in milliseconds.
type callSeries struct {
	count   prometheus.Counter
	latency prometheus.Observer
}

func (s callSeries) add(took time.Duration) {
	s.count.Inc()
	s.latency.Observe(milliseconds(took))
}

// An httpSeries also has the bytes of the bodies that we sent.
type httpSeries struct {
	callSeries
	sent prometheus.Observer
}

// An rpcSeries also has the bytes of the messages that went either way.
type rpcSeries struct {
	callSeries
	sent, received prometheus.Observer
}

// An rpc is a call over gRPC as labels tell it.
type rpc struct {
	method string
	code   codes.Code
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// newMetrics returns metrics that are registered with cfg.Metrics, if there is one.
func newMetrics(cfg Config) *metrics {
	r := registry{cfg.Metrics}
	clients := r.rpcs("client", "roundtrip_latency", "we made")
	return &metrics{
		api:        newAPIMetrics(r, cfg.DefaultApp),
		schedulers: clients(cfg.DefaultApp),
		of:         r.appMetrics(cfg.MetricsNamespace, clients),
	}
}

// appMetrics returns what makes the metrics of an app.
func (r registry) appMetrics(namespace string, clients func(string) *family[rpc, rpcSeries]) func(string) appMetrics {
	operation := []string{"app_id", "namespace", "operation"}
	succeeded := r.counter("dapr_component_job_success_count", "Triggers that the app took.", operation...)
	failed := r.counter("dapr_component_job_failure_count", "Triggers that the app did not take, or did not know.", operation...)
	latency := r.latency("dapr_component_job_latencies", "Milliseconds that the app took.", append(operation, "success")...)

	call := []string{"app_id", "method", "path", "status"}
	calls := r.counter("dapr_http_client_completed_count", "Calls of the app over HTTP.", call...)
	callLatency := r.latency("dapr_http_client_roundtrip_latency", "Milliseconds that they took.", call...)
	sent := r.size("dapr_http_client_sent_bytes", "Bytes in their bodies.", call...)
	received := r.size("dapr_http_client_received_bytes", "Bytes in the bodies of the answers.", "app_id")

	httpProbes := r.probes("dapr_http_healthprobes", "completed_count", "status")
	grpcProbes := r.probes("dapr_grpc_io_healthprobes", "completed_rpcs", "grpc_client_status")

	attempts := r.counter("carillon_sidecar_attempts_total", "Attempts at delivering a trigger that have ended; not_found are those that the app did not know, which the scheduler is told to be handled.", "app_id", "outcome")
	healthy := r.gauge("carillon_sidecar_app_healthy", "1 if the app, which is asked, is healthy; 0 if not.", "app_id")
	inWork := r.gauge("carillon_sidecar_triggers_in_work", "Triggers that are with the app, or wait for a place there.", "app_id")
	streams := r.gauge("carillon_sidecar_streams", "Streams to schedulers that are open.", "app_id")

	return func(app string) appMetrics {
		return appMetrics{
			attempts: newFamily(func(l attemptLabel) prometheus.Counter { return attempts.WithLabelValues(app, string(l)) }),
			jobs: newFamily(func(success bool) callSeries {
				count := failed
				if success {
					count = succeeded
				}
				const op = "job_trigger_op"
				return callSeries{
					count.WithLabelValues(app, namespace, op),
					latency.WithLabelValues(app, namespace, op, strconv.FormatBool(success)),
				}
			}),
			http: newFamily(func(status httpCode) httpSeries {
				labels := []string{app, "POST", "/job/{name}", status.String()}
				return httpSeries{
					callSeries{calls.WithLabelValues(labels...), callLatency.WithLabelValues(labels...)},
					sent.WithLabelValues(labels...),
				}
			}),
			grpc:       clients(app),
			received:   sync.OnceValue(func() prometheus.Observer { return received.WithLabelValues(app) }),
			httpProbes: newFamily(func(status httpCode) callSeries { return httpProbes(app, status.String()) }),
			grpcProbes: newFamily(func(code codes.Code) callSeries { return grpcProbes(app, code.String()) }),
			healthy:    sync.OnceValue(func() prometheus.Gauge { return healthy.WithLabelValues(app) }),
			inWork:     sync.OnceValue(func() prometheus.Gauge { return inWork.WithLabelValues(app) }),
			streams:    sync.OnceValue(func() prometheus.Gauge { return streams.WithLabelValues(app) }),
		}
	}
}
