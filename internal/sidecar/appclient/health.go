package appclient

import (
	"context"
	"sync"
)

// Health knows which apps are healthy: all that have no health check, and of the others those whose
// probes succeed (sidecar specification §3.7). It is safe for concurrent use.
type Health struct {
	mu      sync.Mutex // guards the fields below
	healthy map[string]bool
	changed chan struct{} // closed, and replaced, when healthy changes
}

// NewHealth returns the health of the apps before their first probes.
func NewHealth(apps []Config) *Health {
	h := &Health{healthy: make(map[string]bool), changed: make(chan struct{})}
	for _, a := range apps {
		h.healthy[a.ID] = !a.HasHealthCheck()
	}
	return h
}

// Of reports whether an app is healthy. The channel is closed when any app's health changes.
func (h *Health) Of(app string) (healthy bool, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.healthy[app], h.changed
}

func (h *Health) set(app string, healthy bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.healthy[app] = healthy
	close(h.changed)
	h.changed = make(chan struct{})
}

// WaitUnhealthy returns when all apps are unhealthy, or ctx has ended. Without apps it waits for
// ctx.
func (h *Health) WaitUnhealthy(ctx context.Context) {
	for {
		h.mu.Lock()
		allUnhealthy, changed := len(h.healthy) > 0, h.changed
		for _, healthy := range h.healthy {
			allUnhealthy = allUnhealthy && !healthy
		}
		h.mu.Unlock()
		if allUnhealthy {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
