package memory

import (
	"runtime"
	"runtime/debug"
)

// Apply sets the limit of the Go runtime to s.GoLimit, and tunes the garbage collector for a
// server, until release is called. The live heap of a server is small: 10 to 30 MiB, whatever is
// stored. A collector that lets it only double runs dozens of times a second under load, for a
// seventh of the processor time. So Apply allocates s.Ballast bytes and never touches them: they
// use address space only. The collector counts them as live, and lets the heap grow by that much
// more between two collections; the runtime limit is larger by as much.
//
// It also returns memory to the system when the process has become idle.
//
// If the environment sets the limit with GOMEMLIMIT, set is true: Apply then changes no limit and
// allocates no ballast.
func (s Shares) Apply(set bool) (release func()) {
	if set {
		return func() {}
	}
	limit := s.GoLimit + s.Ballast
	if storeInHeap {
		limit += s.Outside()
	}
	before := debug.SetMemoryLimit(limit)
	ballast := make([]byte, s.Ballast)
	stop := make(chan struct{})
	go trimWhileIdle(stop)
	return func() {
		close(stop)
		runtime.KeepAlive(ballast)
		debug.SetMemoryLimit(before)
	}
}
