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
	"carillon/internal/sidecar/daprmetrics"
)

const (
	// maxOpen is the most open gRPC calls, including those whose request has not arrived.
	maxOpen = 2 * maxCalls
	// maxStreams is the most calls in flight on one gRPC connection. Clients hold the rest back.
	maxStreams = 1000

	// headerFactor is the largest header of a call, as a multiple of --read-buffer-size; it is 64 KiB
	// by default. In Dapr the factor is 1,024. Headers are not counted with the bytes of calls, and
	// an error of grpc-go repeats the header.
	headerFactor = 16
	// maxHeader is the largest header of a call, whatever that size, in bytes.
	maxHeader = 64 << 20
)

// A grpcServer serves the gRPC API on listeners.
type grpcServer struct {
	api       grpcAPI
	auth      *authenticator
	calls     *callLimit
	calllog   *callLogger // nil if calls are not logged
	metrics   daprmetrics.GRPCCalls
	maxHeader int
	noPings   bool
	log       *slog.Logger
}

// serve serves until ctx ends or a listener fails. It calls ready when
// the server runs, and returns when the last call has ended.
func (s *grpcServer) serve(
	ctx context.Context, listeners []net.Listener, ready func(),
) error {
	options := []grpc.ServerOption{
		grpc.MaxSendMsgSize(int(s.api.maxBody)),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.WaitForHandlers(true),
	}
	if s.calllog != nil {
		options = append(options,
			grpc.ChainUnaryInterceptor(s.calllog.logUnary), grpc.ChainStreamInterceptor(s.calllog.logStream))
	}
	options = append(options,
		grpc.ChainUnaryInterceptor(s.auth.interceptUnary, s.calls.limitUnary),
		grpc.ChainStreamInterceptor(s.auth.interceptStream))
	if !s.noPings {
		options = append(options,
			grpc.KeepaliveParams(keepalive.ServerParameters{
				MaxConnectionIdle: 3 * time.Minute, Time: 10 * time.Second, Timeout: 5 * time.Second,
			}),
			grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
				MinTime: 8 * time.Second, PermitWithoutStream: true,
			}))
	}
	calls := limits.Calls{
		MaxConcurrent: maxOpen, Timeout: 2 * readTimeout,
		MaxHeaderBytes: uint32(min(s.maxHeader, maxHeader/headerFactor)) * headerFactor,
		Messages: &limits.MessageMemory{
			Budget: s.calls.bytes, Max: int(min(s.api.maxBody, math.MaxInt32)),
			Codec: encoding.GetCodecV2(proto.Name), Stats: newGRPCStats(s.metrics),
		},
	}
	server := calls.NewServer(options...)
	runtimev1.RegisterDaprServer(server, s.api)
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
	ready()
	daprlog.Info(ctx, s.log, "Dapr api is ready") // the HTTP ports are open already
	g.Go(func() error {
		<-ctx.Done()
		server.StopWithin(drainTimeout)
		return nil
	})
	return g.Wait()
}
