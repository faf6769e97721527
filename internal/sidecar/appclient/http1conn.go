package appclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"time"
)

// smallBody is the largest body that is written together with the header, in bytes.
const smallBody = 16 << 10

var errClosedEarly = errors.New("the app closed the connection before it had answered")

// An http1Conn is a connection to an app. Only close is safe for concurrent use.
type http1Conn struct {
	conn       net.Conn
	in         *bufio.Reader // reads from Read
	readLimit  int64         // bytes that may be read before the header is too large
	request    []byte        // header of the request; with a small body, all of it
	responding bool          // a byte of the response has arrived
	reusable   bool          // the response was read to its end, and another request may follow
	idleSince  time.Time
	isIdle     func() bool // reports whether the app has neither closed it nor sent anything
}

func newHTTP1Conn(conn net.Conn) *http1Conn {
	c := &http1Conn{conn: conn, isIdle: idleCheck(conn)}
	c.in = bufio.NewReader(c)
	return c
}

func (c *http1Conn) close() { _ = c.conn.Close() }

// Read implements [io.Reader], for the buffered reader.
func (c *http1Conn) Read(p []byte) (int, error) {
	if c.readLimit <= 0 {
		return 0, errors.New("the header of the app's answer is too large")
	}
	n, err := c.conn.Read(p[:min(int64(len(p)), c.readLimit)])
	c.readLimit -= int64(n)
	return n, err
}

// roundTrip sends the request with that body, and returns the response. If ctx ends, it closes the
// connection.
func (c *http1Conn) roundTrip(
	ctx context.Context, body []byte, maxHeader int64,
) (res httpResponse, err error) {
	c.responding, c.reusable, c.readLimit = false, false, maxHeader
	stop := context.AfterFunc(ctx, c.close)
	defer func() {
		if !stop() {
			c.reusable, err = false, context.Cause(ctx)
		}
	}()
	if len(body) <= smallBody {
		c.request = append(c.request, body...)
		if _, err := c.conn.Write(c.request); err != nil {
			return httpResponse{}, err
		}
		return c.readResponse()
	}
	// An app may answer before it has read the whole body, and then read no more.
	sent := make(chan bool, 1) // whether all was sent
	go func() {
		parts := net.Buffers{c.request, body}
		_, err := parts.WriteTo(c.conn)
		if err != nil {
			c.close()
		}
		sent <- err == nil
	}()
	res, err = c.readResponse()
	if err != nil {
		c.close()
		<-sent
		return res, err
	}
	select {
	case all := <-sent:
		c.reusable = c.reusable && all
	default:
		c.reusable = false
		c.close()
		<-sent
	}
	return res, nil
}

// readResponse reads the final response, and sets reusable.
func (c *http1Conn) readResponse() (httpResponse, error) {
	for {
		// Before each response, interim ones included, there is no deadline.
		if _, err := c.in.Peek(1); err != nil {
			return httpResponse{}, readError(err)
		}
		c.responding = true
		_ = c.conn.SetReadDeadline(time.Now().Add(responseTimeout))
		res, err := http.ReadResponse(c.in, nil)
		if err != nil {
			return httpResponse{}, readError(err)
		}
		if res.StatusCode/100 != 1 || res.StatusCode == http.StatusSwitchingProtocols {
			return c.readBody(res), nil
		}
		_ = c.conn.SetReadDeadline(time.Time{})
	}
}

// readBody reads the body of a response, and sets reusable.
func (c *http1Conn) readBody(res *http.Response) httpResponse {
	c.readLimit = math.MaxInt64
	r := httpResponse{status: res.StatusCode}
	complete := true
	if res.ContentLength != 0 {
		_ = c.conn.SetReadDeadline(time.Now().Add(bodyTimeout))
		if r.received, complete = discard(res.Body); !complete {
			c.close() // otherwise Body.Close would read on to the end
		}
	}
	_ = res.Body.Close()
	_ = c.conn.SetReadDeadline(time.Time{})
	c.reusable = complete && !res.Close && res.StatusCode != http.StatusSwitchingProtocols &&
		c.in.Buffered() == 0
	return r
}

// readError says why there is no response.
func readError(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = errClosedEarly
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errStalled
	}
	return fmt.Errorf("read the app's answer: %w", err)
}
