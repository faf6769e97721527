package scheduler

import (
	"sync"
)

// A hostList is the addresses at which sidecars reach the nodes of the cluster. It is safe for
// concurrent use.
type hostList struct {
	mu      sync.Mutex    // guards the fields below
	list    []string      // nil while it is unknown
	changed chan struct{} // closed when list changes
}

func newHostList(list []string) *hostList { return &hostList{list: list, changed: make(chan struct{})} }

// get returns the list, and a channel that is closed when it changes.
func (h *hostList) get() ([]string, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.list, h.changed
}
