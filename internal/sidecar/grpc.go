package sidecar

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/reflection"

	"carillon/internal/limits"
	"carillon/internal/wire"
)

// The header of a call may be so many times --read-buffer-size, and no more in all: 64 KiB by default. Dapr takes 1,024
// times, 4 MiB, for each of as many calls as are open; it is not counted with the bodies of calls, and what grpc-go says of
// a wrong header repeats it.
const (
	headerFactor = 16
	maxHeader    = 64 << 20
)

// serveGRPC serves the gRPC API until ctx ends. It returns when the last call has ended, or a listener failed.
func (s *Sidecar) serveGRPC(ctx context.Context, listeners []net.Listener) error {
	options := []grpc.ServerOption{
		grpc.MaxSendMsgSize(int(s.cfg.MaxBody)),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.WaitForHandlers(true),
	}
	if s.cfg.LogCalls {
		options = append(options,
			grpc.ChainUnaryInterceptor(s.logUnary), grpc.ChainStreamInterceptor(s.logStream))
	}
	options = append(options,
		grpc.ChainUnaryInterceptor(s.checkUnary, s.boundUnary), grpc.ChainStreamInterceptor(s.checkStream))
	if !s.cfg.NoPings {
		options = append(options,
			grpc.KeepaliveParams(keepalive.ServerParameters{
				MaxConnectionIdle: 3 * time.Minute, Time: 10 * time.Second, Timeout: 5 * time.Second,
			}),
			grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
				MinTime: 8 * time.Second, PermitWithoutStream: true,
			}))
	}
	calls := limits.Calls{MaxConcurrent: maxOpen, Timeout: 2 * bodyTime, MaxHeaderBytes: uint32(min(s.cfg.MaxHeader, maxHeader/headerFactor)) * headerFactor}
	calls.Messages = &limits.MessageMemory{
		Budget: s.calls.bytes, Max: int(min(s.cfg.MaxBody, math.MaxInt32)), Codec: encoding.GetCodecV2(proto.Name),
		Stats: s.metrics.api.stats(),
	}
	server := calls.NewServer(options...)
	runtimev1.RegisterDaprServer(server, grpcAPI{sidecar: s})
	reflection.Register(server) // .NET's SDK looks there for what we can do

	g, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		say(ctx, s.log, "API gRPC server is running on port "+port(l.Addr().String()), slog.String("address", l.Addr().String()))
		g.Go(func() error {
			if err := server.Serve(l); !errors.Is(err, grpc.ErrServerStopped) {
				return err
			}
			return nil
		})
	}
	s.ready.grpc.Store(true)
	say(ctx, s.log, "Dapr api is ready") // the HTTP ports are open since before
	g.Go(func() error {
		<-ctx.Done()
		server.StopWithin(drainTime)
		return nil
	})
	return g.Wait()
}

func (s *Sidecar) checkUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, err := s.authenticate(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (s *Sidecar) checkStream(srv any, st grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if _, err := s.authenticate(st.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(srv, st)
}

// authenticate returns the context of a call that has the API token, without the token.
func (s *Sidecar) authenticate(ctx context.Context, method string) (context.Context, error) {
	if s.cfg.APIToken == "" {
		return ctx, nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	tokens := md.Get(tokenHeader)
	if len(tokens) == 0 {
		s.logRefusal(ctx, method, noToken)
		return nil, wire.BadToken("missing api token in request metadata", noToken)
	}
	if !s.authentic(tokens[0]) {
		s.logRefusal(ctx, method, wrongToken)
		return nil, wire.BadToken("authentication error: api token mismatch", wrongToken)
	}
	md = md.Copy()
	md.Delete(tokenHeader)
	return metadata.NewIncomingContext(ctx, md), nil
}

// logRefusal logs that a call was refused for its token.
func (s *Sidecar) logRefusal(ctx context.Context, method, reason string) {
	client := ""
	if p, ok := peer.FromContext(ctx); ok {
		client = p.Addr.String()
	}
	s.refusals.Warn(ctx, slog.String("reason", reason), slog.String("client", client), slog.String("method", method))
}
