package appclient

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// An http1Client calls an app over HTTP/1.1. The goroutine of the call itself writes the request
// and reads the response. A transport of net/http has two goroutines for each connection, and the
// handover to them and back takes as long as the call. It is safe for concurrent use.
//
// An app may close an idle connection just when a request is written to it. So a request that fails
// on a reused connection, before a byte of the response, is sent once more, on a new one.
type http1Client struct {
	dial      func(context.Context) (net.Conn, error)
	maxHeader int64     // of a response, in bytes
	host      string    // rest of the request line, and the header up to the value of Content-Length
	headers   string    // rest of the header, with the empty line at its end
	conns     semaphore // one slot for each connection with a call

	mu     sync.Mutex   // guards the fields below
	idle   []*http1Conn // the last used one is last
	sweep  *time.Timer  // closes idle connections; nil until there is one
	closed bool
}

func newHTTP1Client(app Config, o Options) *http1Client {
	c := &http1Client{
		maxHeader: int64(o.MaxHeader),
		host:      " HTTP/1.1\r\nHost: " + app.Address + "\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: ",
		headers:   "\r\nContent-Type: application/json\r\n",
		conns:     make(semaphore, o.MaxConns),
	}
	if token := strings.Trim(o.Token, " \t"); token != "" {
		c.headers += "Dapr-Api-Token: " + token + "\r\n"
	}
	c.headers += "Accept-Encoding: gzip\r\n\r\n"
	c.dial = func(ctx context.Context) (net.Conn, error) { return o.Dial(ctx, app.Address) }
	if app.isTLS() {
		config := app.tlsConfig()
		config.NextProtos = []string{"http/1.1"}
		config.ServerName, _, _ = net.SplitHostPort(app.Address)
		c.dial = func(ctx context.Context) (net.Conn, error) {
			conn, err := o.Dial(ctx, app.Address)
			if err != nil {
				return nil, err
			}
			secure := tls.Client(conn, config)
			ctx, cancel := context.WithTimeout(ctx, responseTimeout)
			defer cancel()
			if err := secure.HandshakeContext(ctx); err != nil {
				return nil, errors.Join(err, conn.Close())
			}
			return secure, nil
		}
	}
	return c
}

// post implements httpClient.
func (c *http1Client) post(
	ctx context.Context, name string, body []byte,
) (res httpResponse, err error) {
	if !c.conns.acquire(ctx) {
		return httpResponse{}, context.Cause(ctx)
	}
	defer c.conns.release()
	conn := c.takeIdle()
	reused := conn != nil
	for {
		if conn == nil {
			raw, err := c.dial(ctx)
			if err != nil {
				return httpResponse{}, err
			}
			conn = newHTTP1Conn(raw)
		}
		conn.request = append(conn.request[:0], "POST /job/"...)
		conn.request = append(conn.request, url.PathEscape(name)...)
		conn.request = append(conn.request, c.host...)
		conn.request = strconv.AppendInt(conn.request, int64(len(body)), 10)
		conn.request = append(conn.request, c.headers...)
		res, err = conn.roundTrip(ctx, body, c.maxHeader)
		if err == nil && conn.reusable {
			c.putIdle(conn)
			return res, nil
		}
		conn.close()
		if err == nil || !reused || conn.responding || ctx.Err() != nil {
			return res, err
		}
		conn, reused = nil, false
	}
}

// takeIdle returns the idle connection that was used last, or nil.
func (c *http1Client) takeIdle() *http1Conn {
	for {
		c.mu.Lock()
		n := len(c.idle)
		if n == 0 {
			c.mu.Unlock()
			return nil
		}
		conn := c.idle[n-1]
		c.idle[n-1] = nil
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		if conn.isIdle() {
			return conn
		}
		conn.close()
	}
}

// putIdle keeps a connection for the next call.
func (c *http1Client) putIdle(conn *http1Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		conn.close()
		return
	}
	conn.idleSince = time.Now()
	c.idle = append(c.idle, conn)
	switch {
	case c.sweep == nil:
		c.sweep = time.AfterFunc(idleTimeout, c.closeIdle)
	case len(c.idle) == 1:
		c.sweep.Reset(idleTimeout)
	}
}

// closeIdle closes the connections that reached the idle timeout, and reschedules itself.
func (c *http1Client) closeIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, now := 0, time.Now()
	for n < len(c.idle) && now.Sub(c.idle[n].idleSince) >= idleTimeout {
		c.idle[n].close()
		n++
	}
	c.idle = append(c.idle[:0:0], c.idle[n:]...)
	if len(c.idle) > 0 {
		c.sweep.Reset(idleTimeout - now.Sub(c.idle[0].idleSince))
	}
}

// close implements httpClient.
func (c *http1Client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, conn := range c.idle {
		conn.close()
	}
	c.idle = nil
	if c.sweep != nil {
		c.sweep.Stop()
	}
}
