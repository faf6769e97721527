package scheduler

import (
	"context"
	"slices"
	"sync"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// hosts is the list of addresses at which sidecars reach the nodes of the cluster. It is safe for concurrent use.
type hosts struct {
	mu      sync.Mutex // guards the fields below
	list    []string   // nil while none is known
	changed chan struct{}
}

func newHosts(list []string) *hosts { return &hosts{list: list, changed: make(chan struct{})} }

// get returns the list, and what is closed when it changes.
func (h *hosts) get() ([]string, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.list, h.changed
}

// SetHosts tells those who watch that sidecars reach the nodes of the cluster at these addresses now. They hear nothing
// if that is no change. With nil the node knows of no cluster that it is part of: their streams end, so that they ask
// another node.
func (s *Service) SetHosts(list []string) {
	h := s.hosts
	h.mu.Lock()
	defer h.mu.Unlock()
	if slices.Equal(h.list, list) {
		return
	}
	h.list = list
	close(h.changed)
	h.changed = make(chan struct{})
}

// WatchHosts sends the addresses of the cluster's nodes, once they are known, and again when they have changed and not
// before: a sidecar takes any further event on the stream as a reason to connect afresh.
func (s *server) WatchHosts(
	_ *schedulerv1.WatchHostsRequest, stream schedulerv1.Scheduler_WatchHostsServer,
) error {
	ctx, end := context.WithCancelCause(stream.Context())
	defer end(nil)
	defer s.atClose(func() { end(status.Error(codes.Unknown, "cron closed")) })()

	var sent []string
	for {
		list, changed := s.hosts.get()
		switch {
		case list == nil && sent != nil:
			return status.Error(codes.Unavailable, "this scheduler is cut off from its cluster: ask another")
		case list != nil && !slices.Equal(list, sent):
			m := new(schedulerv1.WatchHostsResponse)
			for _, address := range list {
				m.Hosts = append(m.Hosts, &schedulerv1.Host{Address: address})
			}
			if err := stream.Send(m); err != nil {
				return err
			}
			sent = list
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
