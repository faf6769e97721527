package daprmetrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A CallSeries counts calls of one kind, and measures their latency in milliseconds.
type CallSeries struct {
	Count   prometheus.Counter
	Latency prometheus.Observer
}

// Observe adds a call that took that long.
func (s CallSeries) Observe(took time.Duration) {
	s.Count.Inc()
	s.Latency.Observe(float64(took) / float64(time.Millisecond))
}
