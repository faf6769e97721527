package sidecar

import (
	"context"
	"math"
	"math/rand/v2"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"

	"carillon/internal/limits"
	"carillon/internal/wire"
)

// host makes a host of a scheduler, with a connection for calls.
func (s *Sidecar) host(address string) (*host, error) {
	conn, err := s.connect(address)
	if err != nil {
		return nil, err
	}
	return newHost(address, conn, s.metrics.schedulers), nil
}

// connect makes a connection to a scheduler, which is dialed when it is used. The address is the dialer's to resolve.
func (s *Sidecar) connect(address string) (*grpc.ClientConn, error) {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(s.cfg.Credentials),
		grpc.WithUserAgent(wire.UserAgent),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return s.dial.Scheduler(ctx, address)
		}),
		grpc.WithUnaryInterceptor(countCalls(s.metrics.schedulers)),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)),
		// A scheduler that comes back is found within seconds.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: 500 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second,
			},
			MinConnectTimeout: 5 * time.Second,
		}),
		// What a stream has received while it may take no more triggers is not counted, and so has to be little.
		grpc.WithStaticStreamWindowSize(4 * limits.Window), grpc.WithStaticConnWindowSize(limits.ConnWindow),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
	}
	if !s.cfg.NoPings {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: 10 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true,
		}))
	}
	return grpc.NewClient("passthrough:///"+address, options...)
}

// pause waits for a random time from one duration to another, and reports whether ctx lasted that long.
func pause(ctx context.Context, from, to time.Duration) bool {
	t := time.NewTimer(from + rand.N(to-from+1)) // with nanoseconds, the 1 is of no account
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
