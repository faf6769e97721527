package descriptors

import (
	"log/slog"
	"math"
)

// Unlimited is the limit of a process that has none, or none that can be read.
const Unlimited = math.MaxInt

// Parts are the parts of a process that use many descriptors.
type Parts struct {
	Store   bool // a store of its own
	Sidecar bool // connections to apps
}

// Shares says how many descriptors each part of a process may have open. A part that the process
// does not have has none.
type Shares struct {
	// Limit is how many the whole process may have open, or Unlimited.
	Limit int
	// Apps is how many connections to apps there may be at once, to all apps together; at least 1.
	Apps int
	// Files is how many files of the store there may be open at once.
	Files int
	// Clients is how many connections may be accepted at once, over all ports; at least 8. They
	// cannot keep the store from opening a file, nor a trigger from its app.
	Clients int
}

const (
	// others is what nobody counts: standard streams, listeners, timers, locks, the log, files of
	// the configuration, a connection that is about to be refused.
	others = 32
	// schedulers is for a sidecar's connections to schedulers, and a scheduler's to other nodes.
	schedulers = 16
	// minFiles is the least that the store works with, and maxFiles the most that makes it faster.
	minFiles = 74
	maxFiles = 1000
	// minClients is how many connections are accepted however small the limit.
	minClients = 8
)

// Divide makes shares of a limit for a process with these parts.
func Divide(limit int, p Parts) Shares {
	s := Shares{Limit: limit}
	if p.Store {
		s.Files = min(max(limit/4, minFiles), maxFiles)
	}
	switch {
	case p.Sidecar && p.Store:
		s.Apps = max(1, limit/4)
	case p.Sidecar:
		s.Apps = max(1, limit/2)
	}
	s.Clients = max(minClients, limit-others-schedulers-s.Files-s.Apps)
	return s
}

// Attrs returns s for a line of the log.
func (s Shares) Attrs() []slog.Attr {
	number := func(name string, n int) slog.Attr {
		if s.Limit == Unlimited {
			return slog.String(name, "unlimited")
		}
		return slog.Int(name, n)
	}
	attrs := []slog.Attr{number("limit", s.Limit)}
	if s.Apps > 0 {
		attrs = append(attrs, number("app_connections", s.Apps))
	}
	if s.Files > 0 {
		attrs = append(attrs, slog.Int("store_files", s.Files))
	}
	attrs = append(attrs, number("client_connections", s.Clients))
	return attrs
}
