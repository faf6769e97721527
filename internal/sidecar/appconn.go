package sidecar

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

// maxAbandoned is how many channels there are to an app beside the one that new calls take.
const maxAbandoned = 8

// maxAppHeader is how many bytes the header and the trailer of an app's answer may have, in which its error comes.
const maxAppHeader = 64 << 10

// An appConn makes calls of an app over gRPC, which is dialed when it is used. Calls have no deadline before the app's
// answer begins. After an answer that stalled new calls take another connection, because nobody knows whether the app
// says anything more on that one. It is safe for concurrent use.
type appConn struct {
	open     func() (*grpc.ClientConn, error)
	localErr atomic.Pointer[error] // the local error with which the last dialing failed, or nil

	mu      sync.Mutex               // guards the fields below
	current *grpc.ClientConn         // which new calls take
	calls   map[*grpc.ClientConn]int // under way, for current and each that was abandoned
}

// connectApp makes an appConn. The error says why the address cannot be one.
func connectApp(a App, cfg Config, dial Dialer, options ...grpc.DialOption) (*appConn, error) {
	secure := insecure.NewCredentials()
	if a.tls() {
		secure = credentials.NewTLS(appTLS(a))
	}
	c := &appConn{}
	dialer := func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := dial(ctx, address)
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
		grpc.WithChainUnaryInterceptor(c.call),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(int(cfg.MaxBody)), grpc.MaxCallSendMsgSize(int(cfg.MaxBody))),
		// An app beside us that comes back is found at once: triggers fail meanwhile.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second,
			},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithMaxHeaderListSize(maxAppHeader),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
	)
	c.open = func() (*grpc.ClientConn, error) { return grpc.NewClient("passthrough:///"+a.Address, options...) }
	current, err := c.open()
	if err != nil {
		return nil, fmt.Errorf("connect to the app: %w", err)
	}
	c.current, c.calls = current, map[*grpc.ClientConn]int{current: 0}
	return c, nil
}

// Invoke implements [grpc.ClientConnInterface].
func (c *appConn) Invoke(ctx context.Context, method string, req, reply any, options ...grpc.CallOption) error {
	c.mu.Lock()
	cc := c.current
	c.calls[cc]++
	c.mu.Unlock()
	defer c.leave(cc)
	return cc.Invoke(ctx, method, req, reply, options...)
}

// NewStream implements [grpc.ClientConnInterface]. Apps have no streams.
func (c *appConn) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "apps are not called with streams")
}

// leave ends a call, and closes a channel that was abandoned with its last one.
func (c *appConn) leave(cc *grpc.ClientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[cc]--
	if c.calls[cc] == 0 && cc != c.current {
		delete(c.calls, cc)
		_ = cc.Close()
	}
}

// abandon has new calls take another channel than cc. There are no more than maxAbandoned old ones: beyond that cc stays.
func (c *appConn) abandon(cc *grpc.ClientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cc != c.current || len(c.calls) > maxAbandoned {
		return
	}
	if next, err := c.open(); err == nil { // it was when there was none
		c.current = next
		c.calls[next] = 0
	}
}

// close is to be called when no call is under way.
func (c *appConn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.current.Close()
}

// call makes a call, as an interceptor. The grpc package makes it again where the app's server says that it has not
// looked at it; and so does this, once, where a connection that has been in use fails without a word of an answer: the
// app may have closed it as idle.
func (c *appConn) call(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, _ grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	for again := false; ; again = true {
		conn, heard, err := c.callOnce(ctx, method, req, reply, cc, options)
		switch {
		case err == nil || heard || status.Code(err) != codes.Unavailable:
			return err
		case conn == nil: // it was not sent
			if local := c.localErr.Load(); local != nil {
				err = fmt.Errorf("%w: %w", err, *local)
			}
			return err
		case again || !conn.answered.Load() || !conn.failed.Load():
			return err
		}
	}
}

// callOnce makes a call. It returns over which connection, nil if none, and whether an answer has begun.
func (c *appConn) callOnce(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, options []grpc.CallOption,
) (conn *frameConn, heard bool, err error) {
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
	header, _ := stream.Header() // RecvMsg has the error
	late := time.AfterFunc(headPatience, func() { cancel(errStalled) })
	err = stream.RecvMsg(reply)
	late.Stop()
	why := context.Cause(ctx)
	if errors.Is(why, errStalled) || errors.Is(why, context.DeadlineExceeded) {
		c.abandon(cc)
	}
	if errors.Is(why, errStalled) {
		err = status.Error(codes.DeadlineExceeded, errStalled.Error())
	}
	heard = len(header)+len(stream.Trailer()) > 0
	if auth, ok := at.AuthInfo.(frameAuth); ok {
		conn = auth.conn
		if heard {
			conn.answered.Store(true)
		}
	}
	return conn, heard, err
}
