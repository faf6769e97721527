package app

import (
	"log/slog"
	"net"

	"carillon/internal/descriptors"
	"carillon/internal/limits"
)

// The connections that a listener has at most. A sidecar has five to each scheduler, an app a few to
// its sidecar. Monitoring, which reads health and metrics, has a few.
const (
	maxSchedulerConns = 16_384
	maxAPIConns       = 4096
	maxMonitorConns   = 256
)

// schedulerConnRate is how many connections per second a scheduler accepts.
const schedulerConnRate = 2000

// connLimits is how many connections each listener of a node may have. Each listener has its own
// limit, so that a flood of one port does not close the others.
type connLimits struct {
	main    int // each listener for sidecars or apps
	monitor int // each listener for health, metrics and the like
}

// divideConns divides the budget of connections among the listeners of a node. A main listener gets
// maxMain at most.
func divideConns(d descriptors.Shares, maxMain, mains, monitors int) connLimits {
	if d.Clients == 0 { // there is no budget
		return connLimits{maxMain, maxMonitorConns}
	}
	c := connLimits{monitor: min(maxMonitorConns, max(2, d.Clients/16))}
	c.main = min(maxMain, max(2, (d.Clients-monitors*c.monitor)/max(1, mains)))
	return c
}

// limitConns replaces the listeners that are not nil by ones that have at most so many connections.
func limitConns(most int, log *slog.Logger, listeners ...*net.Listener) {
	for _, l := range listeners {
		if *l != nil {
			*l = limits.Connections(*l, most, log)
		}
	}
}

// limitAll returns the listeners, each limited to so many connections. It does not change the slice.
func limitAll(most int, log *slog.Logger, listeners []net.Listener) []net.Listener {
	var all []net.Listener
	for _, l := range listeners {
		all = append(all, limits.Connections(l, most, log))
	}
	return all
}
