package engine

import (
	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/engine/machine"
	"carillon/internal/job"
	"carillon/internal/when"
)

// metrics are the counters and histograms of an engine, which change when something happens. A
// collector reads the gauges from the loops.
type metrics struct {
	lateness    prometheus.Histogram // see observeSent
	appDelay    prometheus.Histogram // see observeSent
	commit      prometheus.Histogram
	commitJobs  prometheus.Histogram
	turnsWaited prometheus.Histogram
	deliveries  map[job.Outcome]prometheus.Counter
	redelivered prometheus.Counter
	quotaWaited prometheus.Counter
	sealedJobs  *prometheus.GaugeVec // by key

	lastCommits commitTimes // for Stats
}

// newMetrics returns metrics that are registered with r, unless r is nil.
func newMetrics(r prometheus.Registerer) *metrics {
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "carillon_" + name, Help: help, Buckets: buckets})
	}
	m := &metrics{
		lateness: histogram("lateness_seconds",
			"Seconds from when an attempt was due and a receiver could take it until it was sent.",
			[]float64{.0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 600, 3600}),
		appDelay: histogram("app_delay_seconds",
			"Seconds by which an earlier attempt, which failed or was in flight, delayed an attempt.",
			[]float64{.001, .005, .01, .05, .1, .5, 1, 2.5, 5, 10, 60, 600, 3600, 86400}),
		commit: histogram("commit_seconds", "Duration of a durable commit, in seconds.",
			prometheus.ExponentialBuckets(.0001, 2, 16)),
		commitJobs: histogram("commit_jobs", "Commands and outcomes in one commit.",
			prometheus.ExponentialBuckets(1, 2, 10)),
		turnsWaited: histogram("command_turns",
			"Turns that the longest waiting command of a turn has waited, that turn included.",
			prometheus.ExponentialBuckets(1, 2, 10)),
		redelivered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "carillon_redeliveries_total",
			Help: "Attempts that are delivered again because their outcome is unknown; an app may have seen them.",
		}),
		quotaWaited: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "carillon_quota_delayed_triggers_total",
			Help: "Triggers that were delayed by the quota of their namespace.",
		}),
		deliveries: map[job.Outcome]prometheus.Counter{},
		sealedJobs: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "carillon_sealed_jobs",
			Help: "Jobs by the key that seals them, when all were last read. No key means not sealed.",
		}, []string{"key"}),
	}
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "carillon_deliveries_total", Help: "Attempts that have ended, by outcome.",
	}, []string{"outcome"})
	for _, o := range []job.Outcome{job.Handled, job.Failed, job.Lost} {
		m.deliveries[o] = outcomes.WithLabelValues(o.String())
	}
	if r != nil {
		r.MustRegister(m.lateness, m.appDelay, m.commit, m.commitJobs, m.turnsWaited, m.redelivered,
			m.quotaWaited, m.sealedJobs, outcomes)
	}
	return m
}

// maxLateness is the most that one lateness counts, in seconds. A job may have been due thousands
// of years before it was scheduled, and a restart forgets when that was. Such a value would
// dominate the sum.
const maxLateness = 24 * 60 * 60

// observeSent counts a delivery that was sent.
func (m *metrics) observeSent(d *machine.Delivery) {
	m.lateness.Observe(min(maxLateness, max(0, when.Seconds(d.Attempt.ReadyAt(), d.SentAt))))
	if by := d.Attempt.AppDelay(); by > 0 {
		m.appDelay.Observe(by.Seconds())
	}
}

// setSealedJobs sets how many jobs are sealed with each key.
func (m *metrics) setSealedJobs(counts map[string]int64) {
	m.sealedJobs.Reset()
	for id, n := range counts {
		m.sealedJobs.WithLabelValues(id).Set(float64(n))
	}
}

// countRedelivery counts that the attempt of d is made again, because its outcome is not known. A
// replaced delivery was counted when it was replaced, if at all.
func (m *metrics) countRedelivery(d *machine.Delivery) {
	if !d.Replaced {
		m.redelivered.Inc()
	}
}
