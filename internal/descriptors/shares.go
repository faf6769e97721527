package descriptors

import (
	"log/slog"
	"math"
)

// Unlimited is the limit of a process without a known limit.
const Unlimited = math.MaxInt

// Parts are the parts of a process that use many descriptors.
type Parts struct {
	Store   bool // a store of its own
	Sidecar bool // connections to apps
}

// Shares are the descriptor budgets of the parts of a process. A part that the process does not
// have has none.
type Shares struct {
	// Limit is the limit of the whole process, or Unlimited.
	Limit int
	// Apps is the maximum number of connections to all apps together; at least 1.
	Apps int
	// Files is the maximum number of open files of the store.
	Files int
	// Clients is the maximum number of accepted connections over all ports; at least 8. They cannot
	// prevent the store from opening files, nor triggers from reaching their app.
	Clients int
}

const (
	// others are descriptors without a share: standard streams, listeners, timers, locks, the log,
	// configuration files, and a connection that is about to be refused.
	others = 32
	// schedulers are for a sidecar's connections to schedulers, and a scheduler's to other nodes.
	schedulers = 16
	// minFiles is the minimum for the store, and maxFiles the number beyond which it does not get
	// faster.
	minFiles = 74
	maxFiles = 1000
	// minClients is the minimum number of accepted connections.
	minClients = 8
)

// Divide divides the limit for a process with these parts.
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

// Attrs returns s for a log line.
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
