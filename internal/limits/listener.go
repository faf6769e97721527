package limits

import (
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// A Listener has at most so many connections open. One more is closed as soon as it is accepted, so that a client sees
// at once that there is no place. It is safe for concurrent use.
type Listener struct {
	net.Listener
	most int64
	log  *slog.Logger

	open atomic.Int64
	said rate.Sometimes
}

// Listen returns l with at most so many connections. That there are too many is logged, once a minute.
func Listen(l net.Listener, most int, log *slog.Logger) *Listener {
	return &Listener{Listener: l, most: int64(most), log: log, said: rate.Sometimes{Interval: time.Minute}}
}

// Accept waits for the next connection for which there is a place.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.most {
			return &conn{Conn: c, leave: sync.OnceFunc(func() { l.open.Add(-1) })}, nil
		}
		l.open.Add(-1)
		_ = c.Close() // whatever it says, it is gone
		l.said.Do(func() {
			l.log.Warn("too many connections: new ones are refused",
				slog.String("listener", l.Addr().String()), slog.Int64("bound", l.most))
		})
	}
}

type conn struct {
	net.Conn
	leave func()
}

// Close closes the connection, and gives its place to the next one.
func (c *conn) Close() error {
	c.leave()
	return c.Conn.Close()
}
