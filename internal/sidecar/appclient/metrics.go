package appclient

import (
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"carillon/internal/sidecar/daprmetrics"
)

// Metrics are the metrics of one app: those of daprd (sidecar specification §6), and its health.
// A series appears when it is first used.
type Metrics struct {
	jobs     func(bool) daprmetrics.CallSeries // by whether the app took the trigger
	http     func(daprmetrics.HTTPStatus) httpSeries
	grpc     daprmetrics.GRPCCalls
	received func() prometheus.Observer // bytes of the body of an HTTP response

	httpProbes func(daprmetrics.HTTPStatus) daprmetrics.CallSeries
	grpcProbes func(codes.Code) daprmetrics.CallSeries

	healthy func() prometheus.Gauge
}

// An httpSeries also measures the bytes of the bodies sent.
type httpSeries struct {
	daprmetrics.CallSeries
	sent prometheus.Observer
}

// A MetricsVec is the metrics of all apps.
type MetricsVec struct {
	namespace string
	grpc      daprmetrics.GRPCVec

	succeeded, failed, httpCalls, httpProbes, grpcProbes        *prometheus.CounterVec
	jobLatency, httpLatency, httpProbeLatency, grpcProbeLatency *prometheus.HistogramVec
	sent, received                                              *prometheus.HistogramVec
	healthy                                                     *prometheus.GaugeVec
}

// NewMetricsVec registers the metrics. The namespace is a label of the metrics of jobs; grpc counts
// the calls over gRPC.
func NewMetricsVec(r daprmetrics.Registry, namespace string, grpc daprmetrics.GRPCVec) *MetricsVec {
	operation := []string{"app_id", "namespace", "operation"}
	call := []string{"app_id", "method", "path", "status"}
	httpProbe := []string{"app_id", "status"}
	grpcProbe := []string{"app_id", "grpc_client_status"}
	const probes, probeLatency = "Questions for the app's health.", "Milliseconds that they took."
	return &MetricsVec{
		namespace: namespace, grpc: grpc,
		succeeded:  r.Counter("dapr_component_job_success_count", "Triggers that the app took.", operation...),
		failed:     r.Counter("dapr_component_job_failure_count", "Triggers that the app did not take, or did not know.", operation...),
		jobLatency: r.Latency("dapr_component_job_latencies", "Milliseconds that the app took.", append(operation, "success")...),

		httpCalls:   r.Counter("dapr_http_client_completed_count", "Calls of the app over HTTP.", call...),
		httpLatency: r.Latency("dapr_http_client_roundtrip_latency", "Milliseconds that they took.", call...),
		sent:        r.Size("dapr_http_client_sent_bytes", "Bytes in their bodies.", call...),
		received:    r.Size("dapr_http_client_received_bytes", "Bytes in the bodies of the answers.", "app_id"),

		httpProbes:       r.Counter("dapr_http_healthprobes_completed_count", probes, httpProbe...),
		httpProbeLatency: r.Latency("dapr_http_healthprobes_roundtrip_latency", probeLatency, httpProbe...),
		grpcProbes:       r.Counter("dapr_grpc_io_healthprobes_completed_rpcs", probes, grpcProbe...),
		grpcProbeLatency: r.Latency("dapr_grpc_io_healthprobes_roundtrip_latency", probeLatency, grpcProbe...),

		healthy: r.Gauge("carillon_sidecar_app_healthy", "1 if the app, which is asked, is healthy; 0 if not.", "app_id"),
	}
}

// ForApp returns the metrics of one app. It is called once for each app.
func (v *MetricsVec) ForApp(app string) Metrics {
	return Metrics{
		jobs: func(success bool) daprmetrics.CallSeries {
			count := v.failed
			if success {
				count = v.succeeded
			}
			const op = "job_trigger_op"
			return daprmetrics.CallSeries{
				Count:   count.WithLabelValues(app, v.namespace, op),
				Latency: v.jobLatency.WithLabelValues(app, v.namespace, op, strconv.FormatBool(success)),
			}
		},
		http: func(status daprmetrics.HTTPStatus) httpSeries {
			labels := []string{app, "POST", "/job/{name}", status.String()}
			return httpSeries{
				daprmetrics.CallSeries{
					Count: v.httpCalls.WithLabelValues(labels...), Latency: v.httpLatency.WithLabelValues(labels...),
				},
				v.sent.WithLabelValues(labels...),
			}
		},
		grpc:     v.grpc.ForApp(app),
		received: sync.OnceValue(func() prometheus.Observer { return v.received.WithLabelValues(app) }),
		httpProbes: func(status daprmetrics.HTTPStatus) daprmetrics.CallSeries {
			return daprmetrics.CallSeries{
				Count:   v.httpProbes.WithLabelValues(app, status.String()),
				Latency: v.httpProbeLatency.WithLabelValues(app, status.String()),
			}
		},
		grpcProbes: func(code codes.Code) daprmetrics.CallSeries {
			return daprmetrics.CallSeries{
				Count:   v.grpcProbes.WithLabelValues(app, code.String()),
				Latency: v.grpcProbeLatency.WithLabelValues(app, code.String()),
			}
		},
		healthy: sync.OnceValue(func() prometheus.Gauge { return v.healthy.WithLabelValues(app) }),
	}
}
