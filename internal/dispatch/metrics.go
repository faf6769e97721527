package dispatch

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/job"
)

// metrics collects the metrics of a dispatcher: those of the scheduler specification, §8, and three
// of our own.
type metrics struct {
	shared  *sharedState
	targets map[job.Target]*targetState

	triggered, failed, undelivered, latency *prometheus.Desc
	slots, held, throttled                  *prometheus.Desc
	inFlight, waiting, ignored              *prometheus.Desc
}

func newMetrics(shared *sharedState, targets map[job.Target]*targetState) *metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &metrics{
		shared:      shared,
		targets:     targets,
		triggered:   desc("dapr_scheduler_jobs_triggered_total", "Attempts that an app handled.", "type"),
		failed:      desc("dapr_scheduler_jobs_failed_total", "Attempts that failed.", "type"),
		undelivered: desc("dapr_scheduler_jobs_undelivered_total", "Triggers without a connected receiver, and attempts that were lost with their stream.", "type"),
		latency:     desc("dapr_scheduler_trigger_latency", "Time from the delivery of a trigger to its result, in milliseconds.", "type"),
		slots:       desc("dapr_scheduler_concurrency_inflight", "Reminders in flight that count towards a concurrency limit.", "concurrency_key"),
		held:        desc("dapr_scheduler_concurrency_pending", "Reminders held because a concurrency limit is reached.", "concurrency_key"),
		throttled:   desc("dapr_scheduler_concurrency_throttled_total", "Reminders that were held because a concurrency limit was reached.", "concurrency_key"),
		inFlight:    desc("carillon_dispatch_out", "Triggers in flight: accepted, and without a result."),
		waiting:     desc("carillon_dispatch_waiting", "Lanes that wait for a receiver with capacity."),
		ignored:     desc("carillon_dispatch_ignored_results_total", "Results for triggers that were not in flight."),
	}
}

// Describe implements [prometheus.Collector].
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		m.triggered, m.failed, m.undelivered, m.latency, m.slots, m.held, m.throttled, m.inFlight, m.waiting, m.ignored,
	} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector]. A counter that is 0 has no series.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.shared.mu.Lock()
	now, tallies, throttled := m.shared.counts, m.shared.tallies, maps.Clone(m.shared.throttled)
	slots := make(map[string]slotCount)
	for _, t := range m.targets {
		if t.limits != nil {
			t.limits.addCounts(slots)
		}
	}
	m.shared.mu.Unlock()

	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		if n > 0 {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
		}
	}
	for i := range tallies {
		c, kind := &tallies[i], job.Kind(i).String()
		count(m.triggered, c.handled, kind)
		count(m.failed, c.failed, kind)
		count(m.undelivered, c.undelivered, kind)
		if n := c.handled + c.failed; n > 0 {
			ch <- prometheus.MustNewConstHistogram(m.latency, n, c.sum, c.latency(), kind)
		}
	}
	gauge := func(d *prometheus.Desc, n int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
	}
	for label, n := range slots {
		gauge(m.slots, n.inFlight, label)
		gauge(m.held, n.held, label)
	}
	for label, n := range throttled {
		count(m.throttled, n, label)
	}
	gauge(m.inFlight, now.InFlight)
	gauge(m.waiting, now.Waiting)
	count(m.ignored, now.Ignored)
}
