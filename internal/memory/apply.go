package memory

import (
	"runtime"
	"runtime/debug"
)

// Apply limits Go's runtime to s.GoLimit, and has it collect garbage as a server should, until
// release is called. What is live in a server is little, 10 to 30 MiB whatever is stored, and a
// collector that lets little double runs dozens of times a second under load: a seventh of the
// processor time. So s.Ballast bytes are reserved that are never touched, and take up address space
// alone. The collector counts them as live, and lets the heap grow by that much more between two
// collections; the runtime counts them too, and so its limit is larger by as much.
//
// The limit is left alone if the environment sets it, with GOMEMLIMIT: then set is true, and there
// is no ballast.
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
	return func() {
		runtime.KeepAlive(ballast)
		debug.SetMemoryLimit(before)
	}
}
