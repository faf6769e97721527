package limits

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// What is refused costs a share of the processor, too. So a connection is read that much later for each call of it that
// was refused, and no longer than that in all: who floods hears of it by waiting, and nobody else does.
const (
	pausePerRefusal = 5 * time.Millisecond
	maxPause        = time.Second
)

// Slow has the connection of a call be read later, because so many calls of it are refused. On a server of [Calls] this
// is so already for each call that ends because of who calls or of how much there is.
func Slow(ctx context.Context, refusals int) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return
	}
	if a, ok := p.Addr.(address); ok {
		a.conn.slow(time.Duration(refusals) * pausePerRefusal)
	}
}

// gRPC says so of a message before anybody has seen it. All of it comes nevertheless, and is thrown away: it counts for
// so many refusals.
const (
	tooLarge       = "grpc: received message larger than max"
	tooLargeCounts = 20
)

// mind slows the connection of a call down if err is about who calls, or about how much there is.
func mind(ctx context.Context, err error) {
	if err == nil {
		return
	}
	switch s := status.Convert(err); s.Code() {
	case codes.ResourceExhausted:
		if strings.HasPrefix(s.Message(), tooLarge) {
			Slow(ctx, tooLargeCounts)
			return
		}
		Slow(ctx, 1)
	case codes.PermissionDenied, codes.Unauthenticated:
		Slow(ctx, 1)
	default:
	}
}

// slowly accepts connections that can be slowed down, and that the server knows.
type slowly struct {
	net.Listener
	conns *conns
}

// Accept waits for the next connection.
func (l slowly) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	slow := &slowConn{Conn: c, of: l.conns, closed: make(chan struct{})}
	l.conns.add(slow)
	return slow, nil
}

// A slowConn hands out what it reads when it may.
type slowConn struct {
	net.Conn
	of     *conns
	close  sync.Once
	closed chan struct{}
	heard  atomic.Bool // something was read

	mu    sync.Mutex // guards the field below
	until time.Time
}

// An address knows its connection: it is what a call knows of that.
type address struct {
	net.Addr
	conn *slowConn
}

// RemoteAddr implements [net.Conn].
func (c *slowConn) RemoteAddr() net.Addr { return address{c.Conn.RemoteAddr(), c} }

// Read implements [net.Conn].
func (c *slowConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && !c.heard.Load() {
		c.heard.Store(true)
	}
	for {
		left := c.left()
		if left <= 0 {
			return n, err
		}
		t := time.NewTimer(left)
		select {
		case <-t.C:
		case <-c.closed:
			t.Stop()
			return n, err
		}
	}
}

// left returns for how long nothing is to be read.
func (c *slowConn) left() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until.IsZero() { // as nearly always: the clock need not be asked
		return 0
	}
	left := time.Until(c.until)
	if left <= 0 {
		c.until = time.Time{}
	}
	return left
}

func (c *slowConn) slow(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d += max(0, time.Until(c.until))
	c.until = time.Now().Add(min(d, maxPause))
}

// silent reports whether nothing was read.
func (c *slowConn) silent() bool { return !c.heard.Load() }

// Close closes the connection. Its server forgets it.
func (c *slowConn) Close() error {
	c.close.Do(func() {
		close(c.closed)
		c.of.remove(c)
	})
	return c.Conn.Close()
}
