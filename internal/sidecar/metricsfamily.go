package sidecar

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// A family is the series that differ in what K says. Each is made when it is first asked for, and is found from then on
// with less effort than by its labels. It is safe for concurrent use.
type family[K comparable, S any] struct {
	series func(K) S

	mu    sync.RWMutex // guards the field below
	known map[K]S
}

func newFamily[K comparable, S any](series func(K) S) *family[K, S] {
	return &family[K, S]{series: series, known: make(map[K]S)}
}

func (f *family[K, S]) of(k K) S {
	f.mu.RLock()
	s, ok := f.known[k]
	f.mu.RUnlock()
	if ok {
		return s
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if s, ok = f.known[k]; !ok {
		s = f.series(k)
		f.known[k] = s
	}
	return s
}

// A registry makes vectors of metrics, and registers them.
type registry struct{ prometheus.Registerer } // nil if nobody is to see them

func register[C prometheus.Collector](r registry, c C) C {
	if r.Registerer != nil {
		r.MustRegister(c)
	}
	return c
}

func (r registry) counter(name, help string, labels ...string) *prometheus.CounterVec {
	return register(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
}

func (r registry) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels))
}

// latency is a histogram of milliseconds with Dapr's buckets.
func (r registry) latency(name, help string, labels ...string) *prometheus.HistogramVec {
	return register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: help,
		Buckets: []float64{
			1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 250, 300, 400, 500, 650, 800,
			1000, 2000, 5000, 10000, 20000, 50000, 100000,
		},
	}, labels))
}

// size is a histogram of bytes, from 256 to what a body may have by default.
func (r registry) size(name, help string, labels ...string) *prometheus.HistogramVec {
	return register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(256, 4, 8),
	}, labels))
}

// rpcs returns what makes the series of calls over gRPC for an app. Names and labels hold the side that the calls are
// seen from.
func (r registry) rpcs(side, latencyName, help string) func(app string) *family[rpc, rpcSeries] {
	prefix := "dapr_grpc_io_" + side + "_"
	labels := []string{"app_id", "grpc_" + side + "_method", "grpc_" + side + "_status"}
	count := r.counter(prefix+"completed_rpcs", "Calls over gRPC that "+help+".", labels...)
	latency := r.latency(prefix+latencyName, "Milliseconds that they took.", labels...)
	sent := r.size(prefix+"sent_bytes_per_rpc", "Bytes that we sent in each.", labels...)
	received := r.size(prefix+"received_bytes_per_rpc", "Bytes that we received in each.", labels...)
	return func(app string) *family[rpc, rpcSeries] {
		return newFamily(func(c rpc) rpcSeries {
			values := []string{app, c.method, c.code.String()}
			return rpcSeries{
				callSeries{count.WithLabelValues(values...), latency.WithLabelValues(values...)},
				sent.WithLabelValues(values...), received.WithLabelValues(values...),
			}
		})
	}
}

// probes returns what makes the series of questions for an app's health.
func (r registry) probes(prefix, countName, statusLabel string) func(app, status string) callSeries {
	count := r.counter(prefix+"_"+countName, "Questions for the app's health.", "app_id", statusLabel)
	latency := r.latency(prefix+"_roundtrip_latency", "Milliseconds that they took.", "app_id", statusLabel)
	return func(app, status string) callSeries {
		return callSeries{count.WithLabelValues(app, status), latency.WithLabelValues(app, status)}
	}
}
