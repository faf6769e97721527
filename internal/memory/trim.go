package memory

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	trimInterval = 20 * time.Second
	// trimSlack is how much memory beyond the live heap an idle process may keep.
	trimSlack = 32 << 20
)

// trimWhileIdle returns memory to the system whenever the process has become idle after a burst, until
// stop is closed. The runtime would keep it until its next collection, which an idle process may not
// have for two minutes.
func trimWhileIdle(stop <-chan struct{}) {
	tick := time.NewTicker(trimInterval)
	defer tick.Stop()
	last := readHeap()
	for {
		select {
		case <-tick.C:
		case <-stop:
			return
		}
		now := readHeap()
		if now.shouldTrim(last) {
			debug.FreeOSMemory()
			now = readHeap()
		}
		last = now
	}
}

// A heap is what the runtime says about its heap.
type heap struct {
	collections uint64
	live        uint64 // bytes that the last collection found in use
	held        uint64 // bytes of objects, and free bytes that the system has not got back
}

func readHeap() heap {
	s := []metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(s)
	return heap{
		collections: s[0].Value.Uint64(), live: s[1].Value.Uint64(),
		held: s[2].Value.Uint64() + s[3].Value.Uint64() + s[4].Value.Uint64(),
	}
}

// shouldTrim reports whether there was no collection since before, and there is much to return.
func (h heap) shouldTrim(before heap) bool {
	return h.collections == before.collections && h.held > h.live+h.live/2+trimSlack
}
