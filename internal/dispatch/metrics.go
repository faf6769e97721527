package dispatch

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/job"
)

// buckets are the upper bounds of the latency histogram, in milliseconds.
var buckets = [...]float64{100, 500, 1000, 5000, 10000} //nolint:gochecknoglobals // a constant array

// A tally is what has ended since the start, for one kind of target. Counting is so frequent that it is done in plain
// numbers, which become metrics when somebody asks.
type tally struct {
	handled, failed uint64
	undelivered     uint64 // refused because nobody serves the target, or lost with a stream
	took            [len(buckets)]uint64
	sum             float64 // of the milliseconds of handled and failed
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
	for i, bound := range buckets {
		if ms <= bound {
			c.took[i]++
			break
		}
	}
}

// latency returns the cumulative histogram.
func (c *tally) latency() map[float64]uint64 {
	h, n := make(map[float64]uint64, len(buckets)), uint64(0)
	for i, bound := range buckets {
		n += c.took[i]
		h[bound] = n
	}
	return h
}

// metrics collects a dispatcher's metrics (scheduler specification §8, and three of our own).
type metrics struct {
	d *Dispatcher

	triggered, failed, undelivered, latency *prometheus.Desc
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
		out:         desc("carillon_dispatch_out", "Triggers taken and not ended."),
		waiting:     desc("carillon_dispatch_waiting", "Lanes that wait for a receiver with room."),
		ignored:     desc("carillon_dispatch_ignored_results_total", "Results for triggers that were not out."),
	}
}

// Describe sends all that Collect may send.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		m.triggered, m.failed, m.undelivered, m.latency, m.out, m.waiting, m.ignored,
	} {
		ch <- d
	}
}

// Collect sends what there is now. What has never happened has no series.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.d.mu.Lock()
	now, tallies := m.d.stats(), m.d.tallies
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
	ch <- prometheus.MustNewConstMetric(m.out, prometheus.GaugeValue, float64(now.Out))
	ch <- prometheus.MustNewConstMetric(m.waiting, prometheus.GaugeValue, float64(now.Waiting))
	count(m.ignored, now.Ignored)
}
