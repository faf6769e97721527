package forward_test

import (
	"runtime"
	"testing"
)

// TestMain keeps whole clusters on one processor. In fake time, Go 1.26's race detector has one
// context for all timers of a bubble, and two threads that check timers at once break it: the
// process dies in __tsan_go_start.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	m.Run()
}
