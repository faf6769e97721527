package apiserver

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/sidecar/daprmetrics"
)

// apiMetrics are the metrics of the API's calls (sidecar specification §6).
type apiMetrics struct {
	http   func(httpRequest) requestSeries
	bodies func() (in, out prometheus.Observer)
	grpc   daprmetrics.GRPCCalls
}

// An httpRequest is the labels of a request of the HTTP API.
type httpRequest struct {
	method, path string
	status       daprmetrics.HTTPStatus
}

// A requestSeries also counts requests; CallSeries counts responses.
type requestSeries struct {
	daprmetrics.CallSeries
	requests prometheus.Counter
}

// newAPIMetrics registers the metrics, and returns those of the app.
func newAPIMetrics(r daprmetrics.Registry, app string) apiMetrics {
	labels := []string{"app_id", "method", "path", "status"}
	requests := r.Counter("dapr_http_server_request_count", "Requests of the HTTP API.", labels...)
	responses := r.Counter("dapr_http_server_response_count", "Answers of the HTTP API.", labels...)
	latency := r.Latency("dapr_http_server_latency", "Milliseconds that an answer took.", labels...)
	in := r.Size("dapr_http_server_request_bytes", "Bytes in bodies of requests of the HTTP API.", "app_id")
	out := r.Size("dapr_http_server_response_bytes", "Bytes in bodies of its answers.", "app_id")
	return apiMetrics{
		http: func(q httpRequest) requestSeries {
			values := []string{app, q.method, q.path, q.status.String()}
			return requestSeries{
				daprmetrics.CallSeries{
					Count: responses.WithLabelValues(values...), Latency: latency.WithLabelValues(values...),
				},
				requests.WithLabelValues(values...),
			}
		},
		bodies: sync.OnceValues(func() (prometheus.Observer, prometheus.Observer) {
			return in.WithLabelValues(app), out.WithLabelValues(app)
		}),
		grpc: daprmetrics.NewGRPCServerVec(r).ForApp(app),
	}
}
