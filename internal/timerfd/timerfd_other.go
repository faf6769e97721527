//go:build !linux

package timerfd

import "time"

// A Waker wakes the process at the instant that it was last set to. On this system Go's timers do
// that alone.
type Waker struct{}

// New returns a waker.
func New(func()) (*Waker, error) { return new(Waker), nil }

// Set does nothing.
func (*Waker) Set(time.Duration) {}

// Close does nothing.
func (*Waker) Close() error { return nil }
