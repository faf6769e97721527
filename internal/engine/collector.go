package engine

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/engine/machine"
)

// collectTimeout is how long a collector waits for loops in the middle of a turn.
const collectTimeout = time.Second

// A collector counts what the loops hold. It is a [prometheus.Collector]: each loop counts in its
// next turn. A loop that has no turn within collectTimeout is not counted, and Health says why.
type collector struct {
	loops []*loop
}

// A gauge is one figure of a collector.
type gauge struct {
	desc *prometheus.Desc
	of   func(s loopStats) float64
}

// gauges returns the figures of a collector.
func gauges() []gauge {
	g := func(name, help string, of func(s loopStats) float64) gauge {
		return gauge{prometheus.NewDesc("carillon_"+name, help, nil, nil), of}
	}
	return []gauge{
		g("lanes", "Lanes that have jobs.",
			func(s loopStats) float64 { return float64(s.Lanes) }),
		g("lanes_parked", "Lanes that wait until a receiver can take triggers.",
			func(s loopStats) float64 { return float64(s.Parked) }),
		g("window_entries", "Entries of the due index that are in memory.",
			func(s loopStats) float64 { return float64(s.Entries) }),
		g("due_jobs", "Jobs in memory that are due and not yet delivered.",
			func(s loopStats) float64 { return float64(s.Due) }),
		g("oldest_due_seconds", "How long the oldest of the due jobs has waited for its delivery, in seconds.",
			func(s loopStats) float64 { return s.Oldest }),
		g("out", "Triggers that were sent and have no outcome yet.",
			func(s loopStats) float64 { return float64(s.Out) }),
		g("in_flight", "Triggers in flight: from when they are read until their outcome is committed.",
			func(s loopStats) float64 { return float64(s.InFlight) }),
		g("in_flight_limit", "The most triggers that may be in flight, without the few that each target may always have.",
			func(s loopStats) float64 { return float64(s.Limit) }),
		g("lanes_throttled", "Lanes that wait because their target has its share of triggers in flight.",
			func(s loopStats) float64 { return float64(s.Throttled) }),
		g("waiting_outcomes", "Outcomes that wait for a turn.",
			func(s loopStats) float64 { return float64(s.outcomes) }),
		g("waiting_commands", "Calls that wait for a turn.",
			func(s loopStats) float64 { return float64(s.commands) }),
		g("overloaded", "1 if turns left work behind for most of the last five seconds, otherwise 0.",
			func(s loopStats) float64 { return float64(s.overloaded) }),
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
	all := collectStats(c.loops)
	for _, g := range gauges() {
		to <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.of(all))
	}
}

// collectStats returns the figures of the loops together. Each counts in its next turn; one that
// has none within collectTimeout is left out.
func collectStats(loops []*loop) (all loopStats) {
	counted := make(chan loopStats, len(loops))
	for _, lp := range loops {
		lp.inbox.inspect(func(now time.Time) { counted <- lp.stats(now) })
	}
	timeout := time.NewTimer(collectTimeout)
	defer timeout.Stop()
	for range loops {
		select {
		case s := <-counted:
			all.add(s)
		case <-timeout.C:
			return all // the other loops have had no turn
		}
	}
	return all
}

// loopStats are the figures of what a loop holds, or of all loops.
type loopStats struct {
	machine.Stats

	outcomes, commands int // that wait for a turn
	overloaded         int // 0 or 1
}

// add adds the figures of another loop.
func (s *loopStats) add(t loopStats) {
	s.Add(t.Stats)
	s.outcomes += t.outcomes
	s.commands += t.commands
	s.overloaded = max(s.overloaded, t.overloaded)
}

// stats counts what the loop holds. Only the loop calls it.
func (lp *loop) stats(now time.Time) loopStats {
	s := loopStats{Stats: lp.machine.Stats(now)}
	s.outcomes, s.commands = lp.inbox.waiting()
	if lp.overload.overloaded {
		s.overloaded = 1
	}
	return s
}
