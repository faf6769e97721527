package sidecar

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"
)

// A frameConn is a connection to an app over HTTP/2. It fails when a frame or a header block (RFC 9113 §4) does not end
// within headPatience of its first byte: until it ends, nothing else can come. Between them the app may take as long as
// it likes. One goroutine at a time reads.
type frameConn struct {
	net.Conn
	failed   atomic.Bool // other than because the app stalled
	answered atomic.Bool // a call was answered on it

	// Where in the bytes that were read the next one is.
	head    [9]byte // of the frame
	got     int     // bytes of head
	left    int     // bytes of the frame after its head
	goesOn  bool    // the next frame continues a header block
	bounded bool    // there is a deadline
}

// Read implements [net.Conn].
func (c *frameConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	ended := c.pass(p[:n])
	switch partial := c.got > 0 || c.left > 0 || c.goesOn; {
	case partial && (ended || !c.bounded):
		c.bounded = true
		_ = c.SetReadDeadline(time.Now().Add(headPatience))
	case !partial && c.bounded:
		c.bounded = false
		_ = c.SetReadDeadline(time.Time{})
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errStalled
	case err != nil:
		c.failed.Store(true)
	}
	return n, err
}

// Write implements [net.Conn].
func (c *frameConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		c.failed.Store(true)
	}
	return n, err
}

// pass goes over bytes that were read. It reports whether a frame, or a header block of several, has ended in them.
func (c *frameConn) pass(b []byte) (ended bool) {
	const (
		headers, pushPromise, continuation = 0x1, 0x5, 0x9
		endHeaders                         = 0x4
	)
	for len(b) > 0 {
		if c.left > 0 {
			n := min(c.left, len(b))
			c.left -= n
			b = b[n:]
		} else {
			n := copy(c.head[c.got:], b)
			c.got += n
			b = b[n:]
			if c.got < len(c.head) {
				return ended
			}
			c.got = 0
			c.left = int(c.head[0])<<16 | int(c.head[1])<<8 | int(c.head[2])
			switch c.head[3] {
			case headers, pushPromise, continuation:
				c.goesOn = c.head[4]&endHeaders == 0
			}
		}
		ended = ended || c.left == 0 && !c.goesOn
	}
	return ended
}

// frameCredentials make connections over gRPC frameConns.
type frameCredentials struct {
	credentials.TransportCredentials
}

// A frameAuth is what a call's peer says of such a connection.
type frameAuth struct {
	credentials.AuthInfo
	conn *frameConn
}

// ClientHandshake implements [credentials.TransportCredentials].
func (c frameCredentials) ClientHandshake(
	ctx context.Context, authority string, raw net.Conn,
) (net.Conn, credentials.AuthInfo, error) {
	secure, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		return nil, nil, err
	}
	conn := &frameConn{Conn: secure}
	return conn, frameAuth{info, conn}, nil
}

// Clone implements [credentials.TransportCredentials].
func (c frameCredentials) Clone() credentials.TransportCredentials {
	return frameCredentials{c.TransportCredentials.Clone()}
}
