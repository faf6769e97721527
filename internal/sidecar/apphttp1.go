package sidecar

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// maxConns is how many connections there are at most to an app over HTTP, where Config.MaxAppConns leaves it as many.
	maxConns = 1024
	// idleTime is how long a connection is kept without a call. It is shorter than servers keep theirs: a call that meets
	// a connection just as the app closes it fails.
	idleTime = time.Second
	// smallBody is the largest body that is written in one go with what goes before it, in bytes.
	smallBody = 16 << 10
)

var errHungUp = errors.New("the app closed the connection before it had answered")

// http1 calls an app over HTTP/1.1. What goes over the wire is written and read in the goroutine of the call: a
// transport of net/http has two of its own for each connection, and to hand a call to one and its answer back takes as
// long as the call itself. It is safe for concurrent use.
//
// An app may close a connection that has been idle just when a call is written to it. So a call that fails on a connection
// that had been kept, before a byte of the answer, is sent once more, on a new one.
type http1 struct {
	dial      func(context.Context) (net.Conn, error)
	maxHeader int64  // bytes of the header of an answer
	host      string // as the header's first lines
	headers   string // the rest of the header, with the empty line at its end
	places    room   // one for each call under way

	mu     sync.Mutex // guards the fields below
	idle   []*http1Conn
	sweep  *time.Timer // closes connections that have been idle for too long; nil if there never were any
	closed bool
}

func newHTTP1(a App, cfg Config, dial Dialer) *http1 {
	h := &http1{
		maxHeader: int64(cfg.MaxHeader),
		host:      " HTTP/1.1\r\nHost: " + a.Address + "\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: ",
		headers:   "\r\nContent-Type: application/json\r\n",
		places:    make(room, cfg.connsPerApp()),
	}
	if token := strings.Trim(cfg.AppToken, " \t"); token != "" {
		h.headers += "Dapr-Api-Token: " + token + "\r\n"
	}
	h.headers += "Accept-Encoding: gzip\r\n\r\n"
	h.dial = func(ctx context.Context) (net.Conn, error) { return dial(ctx, a.Address) }
	if a.tls() {
		config := appTLS(a)
		config.NextProtos = []string{"http/1.1"}
		config.ServerName, _, _ = net.SplitHostPort(a.Address)
		h.dial = func(ctx context.Context) (net.Conn, error) {
			conn, err := dial(ctx, a.Address)
			if err != nil {
				return nil, err
			}
			secure := tls.Client(conn, config)
			ctx, cancel := context.WithTimeout(ctx, headPatience)
			defer cancel()
			if err := secure.HandshakeContext(ctx); err != nil {
				return nil, errors.Join(err, conn.Close())
			}
			return secure, nil
		}
	}
	return h
}

// post implements poster.
func (h *http1) post(ctx context.Context, name string, body []byte) (a appAnswer, err error) {
	if !h.places.enter(ctx) {
		return appAnswer{}, context.Cause(ctx)
	}
	defer h.places.leave()
	c := h.kept()
	reused := c != nil
	for {
		if c == nil {
			conn, err := h.dial(ctx)
			if err != nil {
				return appAnswer{}, err
			}
			c = newHTTP1Conn(conn)
		}
		c.head = append(c.head[:0], "POST /job/"...)
		c.head = append(c.head, url.PathEscape(name)...)
		c.head = append(c.head, h.host...)
		c.head = strconv.AppendInt(c.head, int64(len(body)), 10)
		c.head = append(c.head, h.headers...)
		a, err = c.exchange(ctx, body, h.maxHeader)
		if err == nil && c.reusable {
			h.keep(c)
			return a, nil
		}
		c.close()
		if err == nil || !reused || c.heard || ctx.Err() != nil {
			return a, err
		}
		c, reused = nil, false
	}
}

// kept returns the connection that was used last of those that are idle, or nil.
func (h *http1) kept() *http1Conn {
	for {
		h.mu.Lock()
		n := len(h.idle)
		if n == 0 {
			h.mu.Unlock()
			return nil
		}
		c := h.idle[n-1]
		h.idle[n-1] = nil
		h.idle = h.idle[:n-1]
		h.mu.Unlock()
		if c.quiet() {
			return c
		}
		c.close()
	}
}

// keep takes back a connection on which nothing is under way.
func (h *http1) keep(c *http1Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		c.close()
		return
	}
	c.idleSince = time.Now()
	h.idle = append(h.idle, c)
	switch {
	case h.sweep == nil:
		h.sweep = time.AfterFunc(idleTime, h.closeIdle)
	case len(h.idle) == 1:
		h.sweep.Reset(idleTime)
	}
}

// closeIdle closes the connections that have been idle for too long, and comes again for the others.
func (h *http1) closeIdle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, now := 0, time.Now()
	for n < len(h.idle) && now.Sub(h.idle[n].idleSince) >= idleTime {
		h.idle[n].close()
		n++
	}
	h.idle = append(h.idle[:0:0], h.idle[n:]...)
	if len(h.idle) > 0 {
		h.sweep.Reset(idleTime - now.Sub(h.idle[0].idleSince))
	}
}

// close implements poster.
func (h *http1) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, c := range h.idle {
		c.close()
	}
	h.idle = nil
	if h.sweep != nil {
		h.sweep.Stop()
	}
}

// An http1Conn is a connection. One goroutine at a time uses it, but for close.
type http1Conn struct {
	conn      net.Conn
	in        *bufio.Reader // of what Read returns
	left      int64         // bytes that may be read before the bound of a header is met
	head      []byte        // of the call; with a small body, all of it
	heard     bool          // a byte of the answer has come
	reusable  bool          // the answer has been read to its end, and another call may follow
	idleSince time.Time
	quiet     func() bool // reports whether the app has neither hung up nor said anything unasked
}

func newHTTP1Conn(conn net.Conn) *http1Conn {
	c := &http1Conn{conn: conn, quiet: quiet(conn)}
	c.in = bufio.NewReader(c)
	return c
}

func (c *http1Conn) close() { _ = c.conn.Close() }

// Read is what the buffered reader reads from.
func (c *http1Conn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errors.New("the header of the app's answer is too large")
	}
	n, err := c.conn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// exchange sends a call with that body, and returns the answer. If ctx ends it is broken off.
func (c *http1Conn) exchange(ctx context.Context, body []byte, maxHeader int64) (a appAnswer, err error) {
	c.heard, c.reusable, c.left = false, false, maxHeader
	stop := context.AfterFunc(ctx, c.close)
	defer func() {
		if !stop() {
			c.reusable, err = false, context.Cause(ctx)
		}
	}()
	if len(body) <= smallBody {
		c.head = append(c.head, body...)
		if _, err := c.conn.Write(c.head); err != nil {
			return appAnswer{}, err
		}
		return c.answer()
	}
	// An app may answer before it has read everything, and read no more then.
	sent := make(chan bool, 1) // whether all was
	go func() {
		parts := net.Buffers{c.head, body}
		_, err := parts.WriteTo(c.conn)
		if err != nil {
			c.close()
		}
		sent <- err == nil
	}()
	a, err = c.answer()
	if err != nil {
		c.close()
		<-sent
		return a, err
	}
	select {
	case all := <-sent:
		c.reusable = c.reusable && all
	default:
		c.reusable = false
		c.close()
		<-sent
	}
	return a, nil
}

// answer reads the final answer to what has been sent, and says whether the connection is reusable then.
func (c *http1Conn) answer() (appAnswer, error) {
	for {
		// Before each answer, an interim one included, the app may take as long as it likes.
		if _, err := c.in.Peek(1); err != nil {
			return appAnswer{}, answerError(err)
		}
		c.heard = true
		_ = c.conn.SetReadDeadline(time.Now().Add(headPatience))
		res, err := http.ReadResponse(c.in, nil)
		if err != nil {
			return appAnswer{}, answerError(err)
		}
		if res.StatusCode/100 != 1 || res.StatusCode == http.StatusSwitchingProtocols {
			return c.body(res), nil
		}
		_ = c.conn.SetReadDeadline(time.Time{})
	}
}

// body reads the body of an answer, and says whether the connection is reusable then.
func (c *http1Conn) body(res *http.Response) appAnswer {
	c.left = math.MaxInt64
	a := appAnswer{status: res.StatusCode}
	whole := true
	if res.ContentLength != 0 {
		_ = c.conn.SetReadDeadline(time.Now().Add(bodyPatience))
		if a.received, whole = discard(res.Body); !whole {
			c.close() // or else the body, being closed, would read on to its end
		}
	}
	_ = res.Body.Close()
	_ = c.conn.SetReadDeadline(time.Time{})
	c.reusable = whole && !res.Close && res.StatusCode != http.StatusSwitchingProtocols && c.in.Buffered() == 0
	return a
}

// answerError says why there is no answer.
func answerError(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = errHungUp
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errStalled
	}
	return fmt.Errorf("read the app's answer: %w", err)
}
