package limits

import (
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Connections returns a listener that keeps at most limit connections of l open. It closes further
// ones as soon as they are accepted, so that a client learns of the limit at once. It logs that it
// does so at most once a minute.
func Connections(l net.Listener, limit int, log *slog.Logger) net.Listener {
	return &connListener{Listener: l, limit: int64(limit), log: log, warn: rate.Sometimes{Interval: time.Minute}}
}

// A connListener limits the open connections of a listener. It is safe for concurrent use.
type connListener struct {
	net.Listener
	limit int64
	log   *slog.Logger

	open atomic.Int64
	warn rate.Sometimes
}

// Accept waits for the next connection within the limit.
func (l *connListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.limit {
			return &countedConn{Conn: c, release: sync.OnceFunc(func() { l.open.Add(-1) })}, nil
		}
		l.open.Add(-1)
		_ = c.Close() // the connection is refused; its error changes nothing
		l.warn.Do(func() {
			l.log.Warn("too many connections: new ones are refused",
				slog.String("listener", l.Addr().String()), slog.Int64("limit", l.limit))
		})
	}
}

// A countedConn is a connection that counts against the limit of its listener.
type countedConn struct {
	net.Conn
	release func()
}

// Close closes the connection and stops counting it.
func (c *countedConn) Close() error {
	c.release()
	return c.Conn.Close()
}
