package apiserver

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
	"google.golang.org/grpc/reflection"

	"carillon/internal/limits"
	"carillon/internal/sidecar/daprlog"
)

const (
	// maxOpen is the most open gRPC calls, including those whose request has not arrived.
	maxOpen = 2 * maxCalls
	// maxStreams is the most calls in work on one gRPC connection. Clients hold the rest back.
	maxStreams = 1000

	// headerFactor is the largest header of a call, as a multiple of --read-buffer-size; it is 64 KiB
	// by default. In Dapr the factor is 1,024. Headers are not counted with the bytes of calls, and
	// an error of grpc-go repeats the header.
	headerFactor = 16
	// maxHeader is the largest header of a call, whatever that size, in bytes.
	maxHeader = 64 << 20
)

// serveGRPC serves until ctx ends or a listener fails. It returns when the last call has ended.
func (s *Server) serveGRPC(ctx context.Context, listeners []net.Listener) error {
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
		grpc.ChainUnaryInterceptor(s.authenticateUnary, s.limitUnary),
		grpc.ChainStreamInterceptor(s.authenticateStream))
	if !s.cfg.NoPings {
		options = append(options,
			grpc.KeepaliveParams(keepalive.ServerParameters{
				MaxConnectionIdle: 3 * time.Minute, Time: 10 * time.Second, Timeout: 5 * time.Second,
			}),
			grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
				MinTime: 8 * time.Second, PermitWithoutStream: true,
			}))
	}
	calls := limits.Calls{
		Most: maxOpen, Lasts: 2 * requestTimeout,
		Header: uint32(min(s.cfg.MaxHeader, maxHeader/headerFactor)) * headerFactor,
		Messages: &limits.Messages{
			Budget: s.calls.bytes, Max: int(min(s.cfg.MaxBody, math.MaxInt32)),
			Codec: encoding.GetCodecV2(proto.Name), Stats: newGRPCStats(s.metrics.grpc),
		},
	}
	server := calls.NewServer(options...)
	runtimev1.RegisterDaprServer(server, grpcAPI{server: s})
	reflection.Register(server) // the .NET SDK uses it to find out what is supported

	g, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		address := l.Addr().String()
		line := "API gRPC server is running on port " + daprlog.Port(address)
		daprlog.Info(ctx, s.log, line, slog.String("address", address))
		g.Go(func() error {
			if err := server.Serve(l); !errors.Is(err, grpc.ErrServerStopped) {
				return err
			}
			return nil
		})
	}
	s.readiness.grpc.Store(true)
	daprlog.Info(ctx, s.log, "Dapr api is ready") // the HTTP ports are open already
	g.Go(func() error {
		<-ctx.Done()
		server.StopWithin(drainTimeout)
		return nil
	})
	return g.Wait()
}
