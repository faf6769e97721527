package daprmetrics

import "github.com/prometheus/client_golang/prometheus"

// A Registry makes metric vectors and registers them.
type Registry struct{ registerer prometheus.Registerer }

// NewRegistry returns a registry that registers with r. With a nil r the vectors work, and nothing
// collects them.
func NewRegistry(r prometheus.Registerer) Registry { return Registry{r} }

func register[C prometheus.Collector](r Registry, c C) C {
	if r.registerer != nil {
		r.registerer.MustRegister(c)
	}
	return c
}

// Counter makes a counter vector.
func (r Registry) Counter(name, help string, labels ...string) *prometheus.CounterVec {
	return register(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
}

// Gauge makes a gauge vector.
func (r Registry) Gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels))
}

// Latency makes a histogram vector of milliseconds with Dapr's buckets.
func (r Registry) Latency(name, help string, labels ...string) *prometheus.HistogramVec {
	return register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: help,
		Buckets: []float64{
			1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 250, 300,
			400, 500, 650, 800, 1000, 2000, 5000, 10000, 20000, 50000, 100000,
		},
	}, labels))
}

// Size makes a histogram vector of bytes, from 256 to the default limit of a body.
func (r Registry) Size(name, help string, labels ...string) *prometheus.HistogramVec {
	return register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(256, 4, 8),
	}, labels))
}
