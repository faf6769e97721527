package sidecar

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
)

// serveInternal serves the port on which Dapr's sidecars call one another, until ctx ends. There is nothing to call here:
// every call is answered with Unimplemented. Programs wait for the port, or for the line in the log.
func (s *Sidecar) serveInternal(ctx context.Context, listeners []net.Listener) error {
	server := limits.Calls{MaxConcurrent: maxOpen, Timeout: time.Minute}.NewServer(grpc.MaxConcurrentStreams(1), grpc.MaxRecvMsgSize(1), grpc.ConnectionTimeout(10*time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: time.Minute}))
	g, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		say(ctx, s.log, "Internal gRPC server is running on port "+port(l.Addr().String()), slog.String("address", l.Addr().String()))
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
