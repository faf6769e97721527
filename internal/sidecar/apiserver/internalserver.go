package apiserver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"carillon/internal/limits"
	"carillon/internal/sidecar/daprlog"
)

// serveInternal serves the port on which Dapr's sidecars call each other, until ctx ends or a
// listener fails. Every method is Unimplemented. Programs wait for the port, or for the line in the
// log.
func serveInternal(ctx context.Context, listeners []net.Listener, log *slog.Logger) error {
	server := limits.Calls{MaxConcurrent: maxOpen, Timeout: time.Minute}.NewServer(
		grpc.MaxConcurrentStreams(1), grpc.MaxRecvMsgSize(1), grpc.ConnectionTimeout(10*time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: time.Minute}))
	g, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		address := l.Addr().String()
		line := "Internal gRPC server is running on port " + daprlog.Port(address)
		daprlog.Info(ctx, log, line, slog.String("address", address))
		g.Go(func() error {
			if err := server.Serve(l); !errors.Is(err, grpc.ErrServerStopped) {
				return err
			}
			return nil
		})
	}
	g.Go(func() error {
		<-ctx.Done()
		server.StopWithin(0)
		return nil
	})
	return g.Wait()
}
