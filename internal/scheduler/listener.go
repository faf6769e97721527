package scheduler

import (
	"net"
	"sync"
)

// A listener knows its open connections. A gRPC server does not know those that have not said anything yet, and waits
// for them for two minutes even when it is stopped by force.
type listener struct {
	net.Listener

	mu     sync.Mutex
	open   map[*conn]struct{}
	closed bool // the open connections were closed, and so is each new one
}

func track(l net.Listener) *listener {
	return &listener{Listener: l, open: make(map[*conn]struct{})}
}

// Accept waits for the next connection.
func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: accepted, of: l}
	l.mu.Lock()
	l.open[c] = struct{}{}
	closed := l.closed
	l.mu.Unlock()
	if closed {
		c.Close()
	}
	return c, nil
}

// closeAll closes every connection, however busy.
func (l *listener) closeAll() {
	l.mu.Lock()
	l.closed = true
	open := make([]*conn, 0, len(l.open))
	for c := range l.open {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
}

type conn struct {
	net.Conn
	of *listener
}

// Close closes the connection. Its listener forgets it.
func (c *conn) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
