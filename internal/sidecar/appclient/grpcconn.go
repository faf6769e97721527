package appclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// tokenHeader carries the app's API token.
const tokenHeader = "dapr-api-token"

// maxAbandoned is how many abandoned channels an app has beside the current one.
const maxAbandoned = 8

// maxGRPCHeader is the most bytes of the header and trailer of an app's answer. The trailer carries
// the error.
const maxGRPCHeader = 64 << 10

// A grpcConn makes unary calls of an app over gRPC. It connects when it is first used. Calls have
// no deadline before the app's answer begins. After an answer stalled, new calls take another
// connection, because that one may be stalled for good. It is safe for concurrent use.
type grpcConn struct {
	open     func() (*grpc.ClientConn, error)
	localErr atomic.Pointer[error] // the local error of the last dial, or nil

	mu      sync.Mutex // guards the fields below
	current *grpc.ClientConn
	calls   map[*grpc.ClientConn]int // in flight, on current and on each abandoned channel
}

// newGRPCConn returns a connection. It fails if the address cannot be used.
func newGRPCConn(app Config, o Options, options ...grpc.DialOption) (*grpcConn, error) {
	secure := insecure.NewCredentials()
	if app.isTLS() {
		secure = credentials.NewTLS(app.tlsConfig())
	}
	c := &grpcConn{}
	dialer := func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := o.Dial(ctx, address)
		if isLocal(err) {
			c.localErr.Store(&err)
		} else {
			c.localErr.Store(nil)
		}
		return conn, err
	}
	options = append(options,
		grpc.WithTransportCredentials(frameCredentials{secure}),
		grpc.WithContextDialer(dialer),
		grpc.WithChainUnaryInterceptor(c.intercept),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(int(o.MaxMessage)), grpc.MaxCallSendMsgSize(int(o.MaxMessage))),
		// Triggers fail while the app is down, so an app that restarts is found soon.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second,
			},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithMaxHeaderListSize(maxGRPCHeader),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
	)
	c.open = func() (*grpc.ClientConn, error) {
		return grpc.NewClient("passthrough:///"+app.Address, options...)
	}
	current, err := c.open()
	if err != nil {
		return nil, fmt.Errorf("connect to the app: %w", err)
	}
	c.current, c.calls = current, map[*grpc.ClientConn]int{current: 0}
	return c, nil
}

// Invoke implements [grpc.ClientConnInterface].
func (c *grpcConn) Invoke(
	ctx context.Context, method string, req, reply any, options ...grpc.CallOption,
) error {
	c.mu.Lock()
	cc := c.current
	c.calls[cc]++
	c.mu.Unlock()
	defer c.finish(cc)
	return cc.Invoke(ctx, method, req, reply, options...)
}

// NewStream implements [grpc.ClientConnInterface]. No method of an app is a stream.
func (c *grpcConn) NewStream(
	context.Context, *grpc.StreamDesc, string, ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "apps are not called with streams")
}

// finish ends a call. It closes an abandoned channel after its last one.
func (c *grpcConn) finish(cc *grpc.ClientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[cc]--
	if c.calls[cc] == 0 && cc != c.current {
		delete(c.calls, cc)
		_ = cc.Close()
	}
}

// abandon makes new calls take another channel than cc. If there are maxAbandoned already, cc stays
// the current one.
func (c *grpcConn) abandon(cc *grpc.ClientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cc != c.current || len(c.calls) > maxAbandoned {
		return
	}
	if next, err := c.open(); err == nil { // the address was valid the first time
		c.current = next
		c.calls[next] = 0
	}
}

// close closes the connection. All calls must have ended.
func (c *grpcConn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.current.Close()
}

// intercept makes a call, as an interceptor. The grpc package retries a call that the app's server
// says it did not process. intercept retries once if a reused connection fails without a word of an
// answer: the app may have closed it as idle.
func (c *grpcConn) intercept(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, _ grpc.UnaryInvoker,
	options ...grpc.CallOption,
) error {
	for retry := false; ; retry = true {
		conn, responding, err := c.callOnce(ctx, method, req, reply, cc, options)
		switch {
		case err == nil || responding || status.Code(err) != codes.Unavailable:
			return err
		case conn == nil: // it was not sent
			if local := c.localErr.Load(); local != nil {
				err = fmt.Errorf("%w: %w", err, *local)
			}
			return err
		case retry || !conn.answered.Load() || !conn.failed.Load():
			return err
		}
	}
}

// callOnce makes a call. It returns the connection, nil if the call was not sent, and whether the
// answer began.
func (c *grpcConn) callOnce(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
	options []grpc.CallOption,
) (conn *frameConn, responding bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var at peer.Peer
	stream, err := cc.NewStream(ctx, &grpc.StreamDesc{}, method, append(options, grpc.Peer(&at))...)
	if err != nil {
		return nil, false, err
	}
	if err := stream.SendMsg(req); err != nil {
		return nil, false, err
	}
	header, _ := stream.Header() // RecvMsg returns the error
	timeout := time.AfterFunc(responseTimeout, func() { cancel(errStalled) })
	err = stream.RecvMsg(reply)
	timeout.Stop()
	cause := context.Cause(ctx)
	if errors.Is(cause, errStalled) || errors.Is(cause, context.DeadlineExceeded) {
		c.abandon(cc)
	}
	if errors.Is(cause, errStalled) {
		err = status.Error(codes.DeadlineExceeded, errStalled.Error())
	}
	responding = len(header)+len(stream.Trailer()) > 0
	if auth, ok := at.AuthInfo.(frameAuthInfo); ok {
		conn = auth.conn
		if responding {
			conn.answered.Store(true)
		}
	}
	return conn, responding, err
}
