package scheduler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"carillon/internal/bulkv1"
	"carillon/internal/limits"
	"carillon/internal/peerv1"
)

// gracePeriod is how long open requests may take when a server stops.
const gracePeriod = 3 * time.Second

// Keepalive is the option of a server whose clients connect over a network: it detects a dead
// client within eight seconds. Clients rely on it (scheduler specification §1.0). A listener in
// memory does not need it.
func Keepalive() grpc.ServerOption {
	return grpc.KeepaliveParams(keepalive.ServerParameters{Time: 3 * time.Second, Timeout: 5 * time.Second})
}

// Run serves s on l until ctx ends, and closes l. It returns when every connection is closed and
// every goroutine that it started has ended. It returns nil if ctx ended it. It may run for several
// listeners.
func (s *Service) Run(ctx context.Context, l net.Listener, opts ...grpc.ServerOption) error {
	defer s.warnings.Close(ctx)
	open, closeStreams := context.WithCancel(ctx)
	defer closeStreams()
	serving := &server{Service: s, atClose: func(f func()) func() bool { return context.AfterFunc(open, f) }}
	calls := s.calls()
	if s.cfg.Identity != nil {
		calls.Credentials = s.cfg.Identity.Server()
	}
	srv := calls.NewServer(append(s.options(), opts...)...)
	schedulerv1.RegisterSchedulerServer(srv, serving)
	bulkv1.RegisterBulkServer(srv, bulkServer{service: s})
	if s.cfg.Peer != nil {
		peerv1.RegisterPeerServer(srv, peerServer{service: s})
	}

	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case <-ctx.Done():
	case err := <-served:
		served <- fmt.Errorf("serve the scheduler on %s: %w", l.Addr(), err)
	}

	closeStreams()
	srv.StopWithin(gracePeriod)
	serving.receivers.Wait()
	if err := <-served; !errors.Is(err, grpc.ErrServerStopped) { // as if ctx ended before Serve
		return err
	}
	return nil
}

// maxStreams is how many calls and streams one connection may have open at once; further ones wait
// in the client. A sidecar has one stream on a connection, and a few calls.
const maxStreams = 10_000

// calls returns the limits of open calls, over all clients. A sidecar has a stream or two on each
// of its five connections.
func (s *Service) calls() limits.Calls {
	return limits.Calls{
		MaxConcurrent: 100_000, Timeout: 5 * time.Minute, MaxHeaderBytes: 64 << 10, Admit: s.admit, Messages: s.messages,
	}
}

// options returns the options of every server.
func (s *Service) options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(s.unary),
		grpc.ChainStreamInterceptor(s.stream),
	}
}
