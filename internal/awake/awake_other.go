//go:build !linux

package awake

import "time"

// A Bell wakes the program up at the instant that it was last set to; on this system it leaves that to Go's timers.
type Bell struct{}

// New returns a bell.
func New(func()) (*Bell, error) { return new(Bell), nil }

// Set does nothing.
func (*Bell) Set(time.Duration) {}

// Close does nothing.
func (*Bell) Close() error { return nil }
