package memory

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	trimInterval = 20 * time.Second
	// trimSlack is how much memory an idle process may keep beyond what it needed before.
	trimSlack = 32 << 20
)

// trimWhileIdle returns memory to the system whenever the process has become idle after a burst,
// until stop is closed. The runtime would keep it until its next collection, which an idle process
// may not have for two minutes.
func trimWhileIdle(stop <-chan struct{}) {
	tick := time.NewTicker(trimInterval)
	defer tick.Stop()
	last, least := readHeap(), uint64(0)
	for {
		select {
		case <-tick.C:
		case <-stop:
			return
		}
		now := readHeap()
		if now.shouldTrim(last, least) {
			debug.FreeOSMemory()
			now = readHeap()
			least = now.held
		}
		last, least = now, min(least, now.held)
	}
}

// A heap is what the runtime says about its heap.
type heap struct {
	collections uint64
	held        uint64 // bytes of objects, dead ones included, and of what the system has not got back
}

func readHeap() heap {
	s := []metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(s)
	return heap{
		collections: s[0].Value.Uint64(),
		held:        s[1].Value.Uint64() + s[2].Value.Uint64() + s[3].Value.Uint64(),
	}
}

// shouldTrim reports whether there was no collection since before, and the heap is much larger than
// the least that it was after an earlier trim.
func (h heap) shouldTrim(before heap, least uint64) bool {
	return h.collections == before.collections && h.held > least+least/2+trimSlack
}
