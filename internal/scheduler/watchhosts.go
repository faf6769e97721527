package scheduler

import (
	"context"
	"slices"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// SetHosts sets the addresses at which sidecars reach the nodes of the cluster, and sends them to
// open WatchHosts streams if they have changed. Nil says that the node is cut off from its cluster:
// the streams end, so that their sidecars connect to another node.
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

// WatchHosts sends the addresses of the cluster's nodes when they are known, and again only when
// they change: a sidecar reconnects to all nodes at each further message.
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
