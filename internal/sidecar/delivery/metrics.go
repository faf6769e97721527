package delivery

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/sidecar/appclient"
	"carillon/internal/sidecar/daprmetrics"
)

// A MetricsVec is the metrics of the deliveries to all apps.
type MetricsVec struct {
	attempts                *prometheus.CounterVec
	triggersInWork, streams *prometheus.GaugeVec
}

// NewMetricsVec registers the metrics.
func NewMetricsVec(r daprmetrics.Registry) *MetricsVec {
	return &MetricsVec{
		attempts:       r.Counter("carillon_sidecar_attempts_total", "Attempts at delivering a trigger that have ended; not_found are those that the app did not know, which the scheduler is told to be handled.", "app_id", "outcome"),
		triggersInWork: r.Gauge("carillon_sidecar_triggers_in_work", "Triggers that are with the app, or wait for a place there.", "app_id"),
		streams:        r.Gauge("carillon_sidecar_streams", "Streams to schedulers that are open.", "app_id"),
	}
}

// metrics are those of one app. A series appears when it is first used.
type metrics struct {
	attempts                func(outcomeLabel) prometheus.Counter
	triggersInWork, streams func() prometheus.Gauge
}

func (v *MetricsVec) forApp(app string) metrics {
	return metrics{
		attempts: func(outcome outcomeLabel) prometheus.Counter {
			return v.attempts.WithLabelValues(app, string(outcome))
		},
		triggersInWork: sync.OnceValue(func() prometheus.Gauge { return v.triggersInWork.WithLabelValues(app) }),
		streams:        sync.OnceValue(func() prometheus.Gauge { return v.streams.WithLabelValues(app) }),
	}
}

// An outcomeLabel is the name of a [job.Outcome], or notFound.
type outcomeLabel string

// notFound is the label of attempts whose job the app did not know. The scheduler is told that they
// are handled; Dapr's metrics of jobs count them as failed.
const notFound outcomeLabel = "not_found"

func newOutcomeLabel(r appclient.Result) outcomeLabel {
	if r.Unknown {
		return notFound
	}
	return outcomeLabel(r.Outcome.String())
}
