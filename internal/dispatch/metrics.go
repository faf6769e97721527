package dispatch

import (
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/job"
)

// buckets returns the upper bounds of the latency histogram, in milliseconds.
func buckets() [5]float64 { return [...]float64{100, 500, 1000, 5000, 10000} }

// A tally is what has ended since the start, for one kind of target. Counting is so frequent that it is done in plain
// numbers, which become metrics when somebody asks.
type tally struct {
	handled, failed uint64
	undelivered     uint64    // refused because nobody serves the target, or lost with a stream
	took            [5]uint64 // results, by bucket
	sum             float64   // of the milliseconds of handled and failed
}

// ended counts the result of a trigger that went out that long ago.
func (c *tally) ended(o job.Outcome, took time.Duration) {
	if o == job.Handled {
		c.handled++
	} else {
		c.failed++
	}
	ms := float64(took) / float64(time.Millisecond)
	c.sum += ms
	for i, bound := range buckets() {
		if ms <= bound {
			c.took[i]++
			break
		}
	}
}

// latency returns the cumulative histogram.
func (c *tally) latency() map[float64]uint64 {
	h, n := make(map[float64]uint64, len(c.took)), uint64(0)
	for i, bound := range buckets() {
		n += c.took[i]
		h[bound] = n
	}
	return h
}

// metrics collects a dispatcher's metrics (scheduler specification §8, and three of our own).
type metrics struct {
	d *Dispatcher

	triggered, failed, undelivered, latency *prometheus.Desc
	slots, held, throttled                  *prometheus.Desc
	out, waiting, ignored                   *prometheus.Desc
}

func newMetrics(d *Dispatcher) *metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &metrics{
		d:           d,
		triggered:   desc("dapr_scheduler_jobs_triggered_total", "Triggers that an app handled.", "type"),
		failed:      desc("dapr_scheduler_jobs_failed_total", "Attempts that failed.", "type"),
		undelivered: desc("dapr_scheduler_jobs_undelivered_total", "Triggers that nobody was there for, or that were lost with their stream.", "type"),
		latency:     desc("dapr_scheduler_trigger_latency", "Milliseconds from a trigger to its result.", "type"),
		slots:       desc("dapr_scheduler_concurrency_inflight", "Slots in use.", "concurrency_key"),
		held:        desc("dapr_scheduler_concurrency_pending", "Triggers that wait for a slot.", "concurrency_key"),
		throttled:   desc("dapr_scheduler_concurrency_throttled_total", "Triggers that had to wait for a slot.", "concurrency_key"),
		out:         desc("carillon_dispatch_out", "Triggers taken and not ended."),
		waiting:     desc("carillon_dispatch_waiting", "Lanes that wait for a receiver with room."),
		ignored:     desc("carillon_dispatch_ignored_results_total", "Results for triggers that were not out."),
	}
}

// Describe sends all that Collect may send.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		m.triggered, m.failed, m.undelivered, m.latency, m.slots, m.held, m.throttled, m.out, m.waiting, m.ignored,
	} {
		ch <- d
	}
}

// Collect sends what there is now. What has never happened has no series.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.d.mu.Lock()
	now, tallies, throttled := m.d.stats(), m.d.tallies, maps.Clone(m.d.throttled)
	loads := make(map[string]load)
	for _, r := range m.d.routes {
		if r.gates != nil {
			r.gates.load(loads)
		}
	}
	m.d.mu.Unlock()

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
	for label, l := range loads {
		gauge(m.slots, l.out, label)
		gauge(m.held, l.held, label)
	}
	for label, n := range throttled {
		count(m.throttled, n, label)
	}
	gauge(m.out, now.Out)
	gauge(m.waiting, now.Waiting)
	count(m.ignored, now.Ignored)
}
