package app

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"carillon/internal/identity"
)

// newRegistry returns a registry that knows the process and its runtime, for the parts of a node to add theirs.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// showExpiry registers when the certificate of a node expires; 0 while there is none.
func showExpiry(r *prometheus.Registry, who *identity.Source) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "carillon", Name: "certificate_expiry_timestamp_seconds", Help: "When the certificate expires, in Unix time.",
	}, func() float64 {
		at := who.Expires()
		if at.IsZero() {
			return 0
		}
		return float64(at.Unix()) //nolint:forbidigo // Prometheus shows instants so
	}))
}

// metricsOf answers any path with what r gathers. What one collector cannot say is logged, and the rest is served.
func metricsOf(r *prometheus.Registry, log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ErrorHandling: promhttp.ContinueOnError,
	})
}
