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
	// The rest is for clients, schedulers, listeners and files.
	Apps int
}

// Divide makes shares of a limit for a process with these parts.
func Divide(limit int, p Parts) Shares {
	s := Shares{Limit: limit}
	switch {
	case p.Sidecar && p.Store:
		s.Apps = max(1, limit/4)
	case p.Sidecar:
		s.Apps = max(1, limit/2)
	}
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
	return attrs
}
