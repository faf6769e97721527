package engine

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/engine/machine"
)

// collectTimeout is how long a collector waits for loops in the middle of a turn.
const collectTimeout = time.Second

// A collector counts what the loops hold. It is a [prometheus.Collector]: each loop counts in its
// next turn. A loop that has no turn within collectTimeout is left out, and Health says why.
type collector struct {
	loops []*loop
}

// A gauge is one figure of a collector.
type gauge struct {
	desc *prometheus.Desc
	of   func(s loopStats) float64
}

func gauges() []gauge {
	g := func(name, help string, of func(s loopStats) float64) gauge {
		return gauge{prometheus.NewDesc("carillon_"+name, help, nil, nil), of}
	}
	return []gauge{
		g("lanes", "Lanes that hold jobs.", func(s loopStats) float64 { return float64(s.Lanes) }),
		g("lanes_parked", "Lanes that wait for a receiver with room.", func(s loopStats) float64 { return float64(s.Parked) }),
		g("window_entries", "Entries of the due index in memory.", func(s loopStats) float64 { return float64(s.Entries) }),
		g("due_jobs", "Jobs that are due and not delivered, as far as they are in memory.", func(s loopStats) float64 { return float64(s.Due) }),
		g("oldest_due_seconds", "How long the job that is due longest has waited for its delivery.", func(s loopStats) float64 { return s.Oldest }),
		g("out", "Triggers that are out for delivery.", func(s loopStats) float64 { return float64(s.Out) }),
		g("in_flight", "Triggers from when they are read to when their outcome is committed.", func(s loopStats) float64 { return float64(s.InFlight) }),
		g("in_flight_limit", "How many triggers may be in flight, but for the few that each target may always have.", func(s loopStats) float64 { return float64(s.Limit) }),
		g("lanes_throttled", "Lanes whose target has as many triggers in flight as its share allows.", func(s loopStats) float64 { return float64(s.Throttled) }),
		g("waiting_outcomes", "Outcomes that wait to be committed.", func(s loopStats) float64 { return float64(s.outcomes) }),
		g("waiting_commands", "Calls that wait to be committed.", func(s loopStats) float64 { return float64(s.commands) }),
		g("overloaded", "1 if more work waits than turns take, for most of the last seconds.", func(s loopStats) float64 { return float64(s.overloaded) }),
	}
}

// Describe implements [prometheus.Collector].
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, g := range gauges() {
		to <- g.desc
	}
}

// Collect implements [prometheus.Collector].
func (c collector) Collect(to chan<- prometheus.Metric) {
	counted := make(chan loopStats, len(c.loops))
	for _, lp := range c.loops {
		lp.inbox.inspect(func(now time.Time) { counted <- lp.stats(now) })
	}
	timeout := time.NewTimer(collectTimeout)
	defer timeout.Stop()
	var all loopStats
	for left := len(c.loops); left > 0; left-- {
		select {
		case s := <-counted:
			all.add(s)
		case <-timeout.C:
			left = 0 // the other loops have no turn
		}
	}
	for _, g := range gauges() {
		to <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.of(all))
	}
}

// loopStats are the figures of what a loop holds, or of all loops.
type loopStats struct {
	machine.Stats

	outcomes, commands int // that wait for a turn
	overloaded         int // 0 or 1
}

func (s *loopStats) add(t loopStats) {
	s.Add(t.Stats)
	s.outcomes += t.outcomes
	s.commands += t.commands
	s.overloaded = max(s.overloaded, t.overloaded)
}

func (lp *loop) stats(now time.Time) loopStats {
	s := loopStats{Stats: lp.machine.Stats(now)}
	s.outcomes, s.commands = lp.inbox.waiting()
	if lp.overload.overloaded {
		s.overloaded = 1
	}
	return s
}
