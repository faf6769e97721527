package app

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"carillon/internal/identity"
)

// newRegistry returns a registry with the metrics of the process and of the Go runtime. The parts of a
// node add their own.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// registerExpiry registers the metric of the expiry of the node's certificate.
func registerExpiry(r *prometheus.Registry, source *identity.Source) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "carillon", Name: "certificate_expiry_timestamp_seconds",
		Help: "Expiry of the certificate as Unix time; 0 if there is no certificate yet.",
	}, func() float64 {
		at := source.Expires()
		if at.IsZero() {
			return 0
		}
		return float64(at.Unix()) //nolint:forbidigo // Prometheus shows instants as Unix time
	}))
}

// metricsHandler answers any path with the metrics of r. If a collector fails, its error is logged and
// the other metrics are served.
func metricsHandler(r *prometheus.Registry, log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ErrorHandling: promhttp.ContinueOnError,
	})
}
