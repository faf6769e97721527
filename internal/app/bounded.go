package app

import (
	"log/slog"
	"net"

	"carillon/internal/descriptors"
	"carillon/internal/limits"
)

// How many connections a listener has at most. A sidecar has five to each scheduler; an app a few to its sidecar; and
// health and metrics are asked for by a few.
const (
	maxSchedulerConns = 16_384
	maxAPIConns       = 4096
	maxWatchers       = 256
)

// schedulerConnRate is how many connections a scheduler takes in a second.
const schedulerConnRate = 2000

// conns is how many connections each listener of a node may have.
type conns struct{ main, watcher int }

// divideConns divides what connections there may be among so many main listeners, which may have up to most, and others.
// Each has its own, so that a flood of one port leaves those of the others alone.
func divideConns(d descriptors.Shares, most, mains, watchers int) conns {
	if d.Clients == 0 { // nobody has said
		return conns{most, maxWatchers}
	}
	c := conns{watcher: min(maxWatchers, max(2, d.Clients/16))}
	c.main = min(most, max(2, (d.Clients-watchers*c.watcher)/max(1, mains)))
	return c
}

// bounded has each listener that is there take no more than so many connections.
func bounded(most int, log *slog.Logger, listeners ...*net.Listener) {
	for _, l := range listeners {
		if *l != nil {
			*l = limits.Connections(*l, most, log)
		}
	}
}

// boundedAll does so with all of a list, which it leaves alone.
func boundedAll(most int, log *slog.Logger, listeners []net.Listener) []net.Listener {
	var all []net.Listener
	for _, l := range listeners {
		all = append(all, limits.Connections(l, most, log))
	}
	return all
}
