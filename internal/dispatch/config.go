package dispatch

import (
	"cmp"

	"github.com/prometheus/client_golang/prometheus"
)

// Config has the limits of a [Dispatcher]. A stream that has reached either of its limits is
// skipped. A trigger that would have to be held is refused when its actor type has reached either
// of its limits.
type Config struct {
	MaxInFlight int // triggers on one stream; default 10,000
	// MaxBytes is of the names and payloads in flight on one stream. A larger trigger is accepted
	// when nothing else is in flight. Default 64 MiB.
	MaxBytes int

	MaxHeld int // triggers of one actor type; default 100,000
	// MaxHeldBytes is of the names and payloads of the held triggers of one actor type. A larger
	// trigger is held when no other is. Default 64 MiB.
	MaxHeldBytes int

	// MaxPayload is how many bytes of names and payloads may wait to be sent to all streams
	// together, held triggers included. Targets share them fairly. Each may always have 32 KiB, or
	// one trigger that is larger than its share; there are at most four such triggers. Default 256
	// MiB.
	MaxPayload int

	Metrics prometheus.Registerer // for the dispatcher's metrics; nil: none
}

// withDefaults returns c with the defaults in place of zeros.
func (c Config) withDefaults() Config {
	c.MaxInFlight = cmp.Or(c.MaxInFlight, 10_000)
	c.MaxBytes = cmp.Or(c.MaxBytes, 64<<20)
	c.MaxHeld = cmp.Or(c.MaxHeld, 100_000)
	c.MaxHeldBytes = cmp.Or(c.MaxHeldBytes, 64<<20)
	c.MaxPayload = cmp.Or(c.MaxPayload, 256<<20)
	return c
}
