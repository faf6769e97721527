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

// Refusals use the processor, too. Each refused call therefore delays reads from its connection by
// delayPerRefusal, up to maxDelay in all. A client that floods the server slows down itself alone.
const (
	delayPerRefusal = 5 * time.Millisecond
	maxDelay        = time.Second
)

// Throttle delays reads from the connection of a call because so many of its calls were refused. A
// server of [Calls] does so itself for each call that ends with a status of [throttleRefused].
func Throttle(ctx context.Context, refusals int) {
	if p, ok := peer.FromContext(ctx); ok {
		if a, ok := p.AuthInfo.(connAuthInfo); ok {
			a.conn.throttle(time.Duration(refusals) * delayPerRefusal)
		}
	}
}

// tooLarge is how the error of grpc-go for a message beyond the size limit begins. The message is
// received and discarded all the same, so that it counts as tooLargeRefusals.
const (
	tooLarge         = "grpc: received message larger than max"
	tooLargeRefusals = 20
)

// throttleRefused throttles the connection of a call whose error is ResourceExhausted,
// PermissionDenied or Unauthenticated.
func throttleRefused(ctx context.Context, err error) {
	if err == nil {
		return
	}
	switch s := status.Convert(err); s.Code() {
	case codes.ResourceExhausted:
		if strings.HasPrefix(s.Message(), tooLarge) {
			Throttle(ctx, tooLargeRefusals)
			return
		}
		Throttle(ctx, 1)
	case codes.PermissionDenied, codes.Unauthenticated:
		Throttle(ctx, 1)
	default:
	}
}

// A throttledListener accepts connections that can be throttled, and adds them to conns.
type throttledListener struct {
	net.Listener
	conns *openConns
}

// Accept waits for the next connection.
func (l throttledListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	throttled := &throttledConn{Conn: c, onClose: l.conns.remove, closed: make(chan struct{})}
	l.conns.add(throttled)
	return throttled, nil
}

// A throttledConn holds back what it has read until the time that throttle has set.
type throttledConn struct {
	net.Conn
	onClose  func(*throttledConn)
	close    sync.Once
	closed   chan struct{}
	received atomic.Bool // something was read

	mu    sync.Mutex // guards the field below
	until time.Time
}

// Read implements [net.Conn].
func (c *throttledConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && !c.received.Load() {
		c.received.Store(true)
	}
	for {
		delay := c.delay()
		if delay <= 0 {
			return n, err
		}
		t := time.NewTimer(delay)
		select {
		case <-t.C:
		case <-c.closed:
			t.Stop()
			return n, err
		}
	}
}

// delay returns how long reads are held back from now on.
func (c *throttledConn) delay() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until.IsZero() { // the usual case needs no clock
		return 0
	}
	delay := time.Until(c.until)
	if delay <= 0 {
		c.until = time.Time{}
	}
	return delay
}

// throttle delays reads by another d.
func (c *throttledConn) throttle(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d += max(0, time.Until(c.until))
	c.until = time.Now().Add(min(d, maxDelay))
}

// silent reports whether the client has sent nothing.
func (c *throttledConn) silent() bool { return !c.received.Load() }

// Close closes the connection and calls onClose.
func (c *throttledConn) Close() error {
	c.close.Do(func() {
		close(c.closed)
		c.onClose(c)
	})
	return c.Conn.Close()
}
