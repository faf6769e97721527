package appclient

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// A frameConn is a connection to an app over HTTP/2. A read fails if a frame or a header block
// (RFC 9113 §4) does not end within responseTimeout of its first byte: until it ends, nothing else
// can arrive. Between frames there is no deadline. One goroutine at a time reads.
type frameConn struct {
	net.Conn
	failed   atomic.Bool // for any reason but a stalled app
	answered atomic.Bool // a call was answered on it

	// The position of the next byte to be read.
	head        [9]byte // of the current frame
	headLen     int     // bytes of head that were read
	left        int     // bytes of the frame that were not yet read
	continued   bool    // the next frame continues a header block
	hasDeadline bool    // a read deadline is set
}

// Read implements [net.Conn].
func (c *frameConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	ended := c.advance(p[:n])
	switch partial := c.headLen > 0 || c.left > 0 || c.continued; {
	case partial && (ended || !c.hasDeadline):
		c.hasDeadline = true
		_ = c.SetReadDeadline(time.Now().Add(responseTimeout))
	case !partial && c.hasDeadline:
		c.hasDeadline = false
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

// advance moves the position over bytes that were read. It reports whether a frame, or a header
// block of several frames, ended in them.
func (c *frameConn) advance(b []byte) (ended bool) {
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
			n := copy(c.head[c.headLen:], b)
			c.headLen += n
			b = b[n:]
			if c.headLen < len(c.head) {
				return ended
			}
			c.headLen = 0
			c.left = int(c.head[0])<<16 | int(c.head[1])<<8 | int(c.head[2])
			switch c.head[3] {
			case headers, pushPromise, continuation:
				c.continued = c.head[4]&endHeaders == 0
			}
		}
		ended = ended || c.left == 0 && !c.continued
	}
	return ended
}
