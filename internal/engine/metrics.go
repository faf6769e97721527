package engine

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/job"
	"carillon/internal/when"
)

// The metrics that are counted where things happen. The rest is read off the machines when somebody asks: see survey.
type metrics struct {
	lateness    prometheus.Histogram // see delay.go
	appDelay    prometheus.Histogram // likewise
	commit      prometheus.Histogram
	group       prometheus.Histogram
	turnsWaited prometheus.Histogram
	deliveries  map[job.Outcome]prometheus.Counter
	redelivered prometheus.Counter
	delayed     prometheus.Counter
	sealed      *prometheus.GaugeVec // by key
}

// newMetrics returns metrics that r exposes, or nobody if r is nil.
func newMetrics(r prometheus.Registerer) *metrics {
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "carillon_" + name, Help: help, Buckets: buckets})
	}
	m := &metrics{
		lateness: histogram("lateness_seconds",
			"How long the scheduler has kept an attempt that was due from a receiver that could take it; a day at most.",
			[]float64{.0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 600, 3600}),
		appDelay: histogram("app_delay_seconds",
			"How long its app has kept an attempt waiting, if it has: by earlier ones that it failed, or had not answered.",
			[]float64{.001, .005, .01, .05, .1, .5, 1, 2.5, 5, 10, 60, 600, 3600, 86400}),
		commit: histogram("commit_seconds", "How long one durable commit took.",
			prometheus.ExponentialBuckets(.0001, 2, 16)),
		group: histogram("commit_jobs", "How many commands and outcomes shared one commit.",
			prometheus.ExponentialBuckets(1, 2, 10)),
		turnsWaited: histogram("command_turns", "How many turns of a loop the command of a turn that waited longest has waited, its own included.",
			prometheus.ExponentialBuckets(1, 2, 10)),
		redelivered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "carillon_redeliveries_total",
			Help: "Attempts that may have reached an app and are delivered again, because nobody knows how they ended.",
		}),
		delayed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "carillon_quota_delayed_triggers_total",
			Help: "Triggers that were handed to a receiver later than they were due because their namespace had as many as its quota allows.",
		}),
		deliveries: map[job.Outcome]prometheus.Counter{},
		sealed: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "carillon_sealed_jobs", Help: "Jobs by the key that has sealed them, as of the last walk over them.",
		}, []string{"key"}),
	}
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "carillon_deliveries_total", Help: "Attempts that have ended, by outcome.",
	}, []string{"outcome"})
	for _, o := range []job.Outcome{job.Handled, job.Failed, job.Lost} {
		m.deliveries[o] = outcomes.WithLabelValues(o.String())
	}
	if r != nil {
		r.MustRegister(m.lateness, m.appDelay, m.commit, m.group, m.turnsWaited, m.redelivered, m.delayed, m.sealed, outcomes)
	}
	return m
}

// surveyTime is how long a survey waits for loops in the middle of a turn.
const surveyTime = time.Second

// A survey counts what the machines hold. It is a [prometheus.Collector]: each time it is asked, every loop counts
// in its next turn. One that has none within surveyTime is left out, and health says why.
type survey struct {
	loops []*loop
}

// A gauge is one figure of a survey.
type gauge struct {
	desc *prometheus.Desc
	of   func(c census) float64
}

func gauges() []gauge {
	g := func(name, help string, of func(c census) float64) gauge {
		return gauge{prometheus.NewDesc("carillon_"+name, help, nil, nil), of}
	}
	return []gauge{
		g("lanes", "Lanes that hold jobs.", func(c census) float64 { return float64(c.lanes) }),
		g("lanes_parked", "Lanes that wait for a receiver with room.", func(c census) float64 { return float64(c.parked) }),
		g("window_entries", "Entries of the due index in memory.", func(c census) float64 { return float64(c.entries) }),
		g("due_jobs", "Jobs that are due and not delivered, as far as they are in memory.", func(c census) float64 { return float64(c.due) }),
		g("oldest_due_seconds", "How long the job that is due longest has waited for its delivery.", func(c census) float64 { return c.oldest }),
		g("out", "Triggers that are out for delivery.", func(c census) float64 { return float64(c.out) }),
		g("in_flight", "Triggers from when they are read to when their outcome is committed.", func(c census) float64 { return float64(c.inFlight) }),
		g("in_flight_limit", "How many triggers may be in flight, but for the few that each target may always have.", func(c census) float64 { return float64(c.limit) }),
		g("lanes_throttled", "Lanes whose target has as many triggers in flight as its share allows.", func(c census) float64 { return float64(c.throttled) }),
		g("waiting_outcomes", "Outcomes that wait to be committed.", func(c census) float64 { return float64(c.outcomes) }),
		g("waiting_commands", "Calls that wait to be committed.", func(c census) float64 { return float64(c.commands) }),
		g("overloaded", "1 if more work waits than turns take, for most of the last seconds.", func(c census) float64 { return float64(c.overloaded) }),
	}
}

// Describe implements [prometheus.Collector].
func (s survey) Describe(to chan<- *prometheus.Desc) {
	for _, g := range gauges() {
		to <- g.desc
	}
}

// Collect implements [prometheus.Collector].
func (s survey) Collect(to chan<- prometheus.Metric) {
	counted := make(chan census, len(s.loops))
	for _, lp := range s.loops {
		lp.inbox.look(func(lp *loop, now time.Time) { counted <- lp.count(now) })
	}
	timeout := time.NewTimer(surveyTime)
	defer timeout.Stop()
	var all census
	for left := len(s.loops); left > 0; left-- {
		select {
		case c := <-counted:
			all.add(c)
		case <-timeout.C:
			left = 0 // the rest has no turn
		}
	}
	for _, g := range gauges() {
		to <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.of(all))
	}
}

// A census is what a machine holds.
type census struct {
	lanes, parked, throttled, entries, due, out int
	inFlight, limit, outcomes, commands         int
	overloaded                                  int     // 0 or 1
	oldest                                      float64 // seconds
}

func (c *census) add(d census) {
	c.lanes += d.lanes
	c.parked += d.parked
	c.entries += d.entries
	c.due += d.due
	c.out += d.out
	c.throttled += d.throttled
	c.inFlight += d.inFlight
	c.limit += d.limit
	c.outcomes += d.outcomes
	c.commands += d.commands
	c.overloaded = max(c.overloaded, d.overloaded)
	c.oldest = max(c.oldest, d.oldest)
}

func (lp *loop) count(now time.Time) census {
	c := lp.machine.count(now)
	c.outcomes, c.commands = lp.inbox.waiting()
	if lp.overload.on {
		c.overloaded = 1
	}
	return c
}

func (m *machine) count(now time.Time) census {
	c := census{lanes: len(m.lanes), out: len(m.out), inFlight: m.inFlight.Held(), limit: m.inFlight.Limit()}
	for _, l := range m.lanes {
		c.entries += len(l.window)
		switch l.place {
		case parked:
			c.parked++
		case throttled:
			c.throttled++
		case nowhere, inHeap, inLine:
		}
		for _, e := range l.window {
			if e.Due.After(now) {
				break
			}
			c.due++
			c.oldest = max(c.oldest, when.Seconds(e.Due, now))
		}
	}
	return c
}
