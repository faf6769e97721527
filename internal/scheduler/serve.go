package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"runtime/debug"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"carillon/internal/bulkv1"
	"carillon/internal/limits"
	"carillon/internal/peerv1"
	"carillon/internal/wire"
)

// grace is how long requests under way have when a server stops.
const grace = 3 * time.Second

// Pings is the option of a server whose clients come over a network: a peer that has vanished is noticed within eight
// seconds. Clients count on it (scheduler specification §1.0). Over a listener in memory nobody vanishes.
func Pings() grpc.ServerOption {
	return grpc.KeepaliveParams(keepalive.ServerParameters{Time: 3 * time.Second, Timeout: 5 * time.Second})
}

// Run serves s on l until ctx ends, and closes l. It returns when every connection is closed and every goroutine that
// it started has ended; nil if ctx ended it. It may be called for several listeners.
func (s *Service) Run(ctx context.Context, l net.Listener, opts ...grpc.ServerOption) error {
	defer s.doubts.Close(ctx)
	open, closeStreams := context.WithCancel(ctx)
	defer closeStreams()
	serving := &server{Service: s, atClose: func(f func()) func() bool { return context.AfterFunc(open, f) }}
	if s.cfg.Identity != nil {
		opts = append(opts, grpc.Creds(s.cfg.Identity.Server()))
	}
	srv := s.calls().NewServer(append(s.options(), opts...)...)
	schedulerv1.RegisterSchedulerServer(srv, serving)
	bulkv1.RegisterBulkServer(srv, bulkServer{server: serving})
	if s.cfg.Peer != nil {
		peerv1.RegisterPeerServer(srv, peerServer{server: serving})
	}

	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case <-ctx.Done():
	case err := <-served:
		served <- fmt.Errorf("serve the scheduler on %s: %w", l.Addr(), err)
	}

	closeStreams()
	srv.StopWithin(grace)
	serving.receivers.Wait()
	if err := <-served; !errors.Is(err, grpc.ErrServerStopped) { // which it says if ctx had ended before it began
		return err
	}
	return nil
}

// maxStreams is how many calls and streams one connection may have open at once; the next waits in its client. A
// sidecar has one stream on a connection, and a few calls.
const maxStreams = 10_000

// maxRequest is how many bytes a client's message may have. Nothing that is to be stored may be larger than half of it
// (scheduler specification §1.4), so that a larger message is refused before it is read.
const maxRequest = 4 << 20

// calls are the bounds of what clients may have open, all of them together. A sidecar has a stream or two on each of its
// five connections.
func (s *Service) calls() limits.Calls {
	return limits.Calls{MaxConcurrent: 100_000, Timeout: 5 * time.Minute, MaxHeaderBytes: 64 << 10, Messages: s.messages}
}

// newMessages returns the bounds of what is received. A node that has no room for what others send it could not answer
// those for whom it has.
func newMessages(bytes int64) *limits.MessageMemory {
	peer := peerv1.Peer_Apply_FullMethodName
	return &limits.MessageMemory{
		Budget: limits.NewBudget(max(bytes, limits.MinMessageBytes)), Max: maxRequest, Codec: newCodec(),
		Answered: []string{bulkv1.Bulk_Schedule_FullMethodName, peer}, Reserved: []string{peer},
	}
}

// options are those of every server: limits of messages and calls, patience with clients that ping, errors translated
// and panics contained.
func (s *Service) options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(s.unary),
		grpc.ChainStreamInterceptor(s.stream),
	}
}

func (s *Service) unary(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler,
) (resp any, err error) {
	if info.FullMethod == schedulerv1.Scheduler_ListJobs_FullMethodName {
		handle = func(ctx context.Context, req any) (any, error) {
			r := req.(*schedulerv1.ListJobsRequest)
			l, err := s.list(ctx, r)
			if err == nil {
				s.quotas.cost(time.Now(), r.GetMetadata().GetNamespace(), l.bytes/callBytes)
			}
			return l, err
		}
	}
	if info.FullMethod == schedulerv1.Scheduler_GetJob_FullMethodName {
		plain := handle
		handle = func(ctx context.Context, req any) (any, error) { return s.get(ctx, req, plain) }
	}
	err = s.guard(ctx, info.FullMethod, func() (err error) {
		if err := s.mayAsk(ctx, req); err != nil {
			return err
		}
		if err := s.admit(ctx, req); err != nil {
			return err
		}
		resp, err = handle(ctx, req)
		return err
	})
	return resp, err
}

func (s *Service) stream(
	srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler,
) error {
	return s.guard(stream.Context(), info.FullMethod, func() error {
		if info.FullMethod == peerv1.Peer_Apply_FullMethodName {
			if err := s.mayApply(stream.Context()); err != nil {
				return err
			}
		}
		return handle(srv, authorized{stream, s})
	})
}

// guard calls f and returns its error as the client is to see it. What the client does not get to see is logged.
func (s *Service) guard(ctx context.Context, method string, f func() error) error {
	failed := contain(f)
	err := wire.Status(failed)
	switch code := status.Code(err); {
	case code == status.Code(failed): // the client sees all there is to say
	case code == codes.Internal:
		s.log.ErrorContext(ctx, "call failed", slog.String("method", method), slog.Any("err", failed))
	case code == codes.Unavailable:
		s.log.DebugContext(ctx, "call refused for now", slog.String("method", method), slog.Any("err", failed))
	}
	return err
}

// contain calls f and returns its error, or its panic as one.
func contain(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}
