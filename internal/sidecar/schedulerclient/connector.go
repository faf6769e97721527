package schedulerclient

import (
	"context"
	"math"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"

	"carillon/internal/limits"
	"carillon/internal/sidecar/daprmetrics"
	"carillon/internal/wire"
)

// A connector connects to schedulers.
type connector struct{ cfg Config }

// Connect returns a connection to a scheduler, which connects when it is first used. The dialer
// resolves the address.
func (c connector) Connect(address string) (*grpc.ClientConn, error) {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(c.cfg.Credentials),
		grpc.WithUserAgent(wire.UserAgent),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return c.cfg.Dial(ctx, address)
		}),
		grpc.WithUnaryInterceptor(daprmetrics.CountUnary(c.cfg.Calls)),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)),
		// A scheduler that restarts is found within seconds.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: 500 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second,
			},
			MinConnectTimeout: 5 * time.Second,
		}),
		// What arrives while a stream may take no more triggers is not counted, so it must be little.
		grpc.WithStaticStreamWindowSize(4 * limits.Window), grpc.WithStaticConnWindowSize(limits.ConnWindow),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
	}
	if !c.cfg.NoPings {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: 10 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true,
		}))
	}
	return grpc.NewClient("passthrough:///"+address, options...)
}
