package apiserver

import "sync"

// A handlerDrain counts running handlers, so that close can wait for them.
type handlerDrain struct {
	mu     sync.RWMutex // read-locked by each handler
	closed bool
}

// begin reports whether a handler may run; it then must call end.
func (d *handlerDrain) begin() bool {
	d.mu.RLock()
	if d.closed {
		d.mu.RUnlock()
		return false
	}
	return true
}

func (d *handlerDrain) end() { d.mu.RUnlock() }

// close lets no handler begin any more, and returns when all have ended.
func (d *handlerDrain) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
}
