package bench

import (
	"sync"
	"time"
)

// memoryWatch polls the memory of nodes.
type memoryWatch struct {
	nodes      []*child
	peak       []float64
	lostBefore int64 // leases lost before the watch
	end        func()
}

// watchMemory polls the memory until read or stop is called.
func watchMemory(nodes []*child) *memoryWatch {
	w := &memoryWatch{nodes: nodes, peak: make([]float64, len(nodes))}
	w.lostBefore = w.leases()
	done, ended := make(chan struct{}), make(chan struct{})
	w.end = sync.OnceFunc(func() {
		close(done)
		<-ended
	})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			for i, n := range w.nodes {
				w.peak[i] = max(w.peak[i], n.process().rss())
			}
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	return w
}

func (w *memoryWatch) stop() { w.end() }

// read stops w. It returns the peak and the present memory of each node, and how many leases were
// lost.
func (w *memoryWatch) read() (highest, now []float64, lost int64) {
	w.end()
	for _, n := range w.nodes {
		now = append(now, n.process().rss())
	}
	return w.peak, now, w.leases() - w.lostBefore
}

// leases returns how many leases the nodes have lost since they started.
func (w *memoryWatch) leases() (n int64) {
	for _, c := range w.nodes {
		n += c.leasesLost.Load()
	}
	return n
}
