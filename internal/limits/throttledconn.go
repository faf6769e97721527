package limits

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// maxDelay is how long reads from a connection are held back at most.
const maxDelay = time.Second

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
