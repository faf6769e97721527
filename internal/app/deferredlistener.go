package app

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// deferredListener is a listener whose port is closed until open is called. It is safe for
// concurrent use.
type deferredListener struct {
	addr net.Addr

	mu     sync.Mutex   // guards the fields below
	inner  net.Listener // nil until open
	closed bool
}

// open opens the port, unless the listener is closed.
func (l *deferredListener) open(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	var err error
	l.inner, err = new(net.ListenConfig).Listen(ctx, l.addr.Network(), l.addr.String())
	if err != nil {
		return fmt.Errorf("open a port that was closed until the node had a certificate: %w; stop the process that uses the port, or choose another port", err)
	}
	return nil
}

// Accept implements [net.Listener]. It must be called after open.
func (l *deferredListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	inner := l.inner
	l.mu.Unlock()
	if inner == nil {
		return nil, &net.OpError{Op: "accept", Net: l.addr.Network(), Addr: l.addr, Err: net.ErrClosed}
	}
	return inner.Accept()
}

// Close implements [net.Listener].
func (l *deferredListener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.inner == nil {
		return nil
	}
	return l.inner.Close()
}

// Addr implements [net.Listener].
func (l *deferredListener) Addr() net.Addr { return l.addr }
