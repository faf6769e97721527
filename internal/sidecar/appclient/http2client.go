package appclient

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// An http2Client calls an app over HTTP/2 without TLS. The transport resends a request only if no
// byte of it was written, or if the server says that it did not process it. It is safe for
// concurrent use.
type http2Client struct {
	base         url.URL
	token        string
	newTransport func() *http.Transport
	transport    atomic.Pointer[http.Transport] // without a client, so that it follows no redirect
}

func newHTTP2Client(app Config, o Options) *http2Client {
	c := &http2Client{
		base: app.url(), token: o.Token,
		newTransport: func() *http.Transport { return newTransport(app, o) },
	}
	c.transport.Store(c.newTransport())
	return c
}

// newTransport returns a transport that connects to the app, whatever the URL's host is.
func newTransport(app Config, o Options) *http.Transport {
	t := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := o.Dial(ctx, app.Address)
			if err == nil && app.Protocol == "h2c" {
				conn = &frameConn{Conn: conn}
			}
			return conn, err
		},
		HTTP2:                  &http.HTTP2Config{WriteByteTimeout: writeByteTimeout},
		Protocols:              new(http.Protocols),
		MaxConnsPerHost:        o.MaxConns,
		MaxIdleConnsPerHost:    o.MaxConns,
		MaxResponseHeaderBytes: int64(o.MaxHeader),
		IdleConnTimeout:        idleTimeout,
	}
	switch app.Protocol {
	case "h2c":
		t.Protocols.SetUnencryptedHTTP2(true)
	case "https":
		t.TLSClientConfig = app.tlsConfig()
		t.Protocols.SetHTTP1(true)
	default:
		t.Protocols.SetHTTP1(true)
	}
	return t
}

// close implements httpClient.
func (c *http2Client) close() { c.transport.Load().CloseIdleConnections() }

// post implements httpClient. As with http1Client, a request that fails on a reused connection
// before its response begins is sent once more.
func (c *http2Client) post(
	ctx context.Context, name string, body []byte,
) (res httpResponse, err error) {
	for retry := false; ; retry = true {
		var conn *frameConn
		reused := false
		trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
			if conn, _ = got.Conn.(*frameConn); conn != nil {
				reused = conn.answered.Load()
			}
		}}
		res, err = c.postOnce(httptrace.WithClientTrace(ctx, trace), name, body)
		switch {
		case err == nil && conn != nil:
			conn.answered.Store(true)
			return res, nil
		case err == nil || retry || !reused || !conn.failed.Load() || ctx.Err() != nil:
			return res, err
		}
	}
}

func (c *http2Client) postOnce(
	ctx context.Context, name string, body []byte,
) (r httpResponse, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	to := c.base
	to.Path, to.RawPath = "/job/"+name, "/job/"+url.PathEscape(name)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return r, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set(tokenHeader, c.token)
	}
	transport := c.transport.Load()
	res, err := transport.RoundTrip(req)
	if err != nil {
		return r, err
	}
	defer func() { _ = res.Body.Close() }()
	r.status = res.StatusCode
	if res.ContentLength != 0 {
		timeout := time.AfterFunc(bodyTimeout, func() {
			cancel()
			// The connection is stalled, perhaps for good. New requests take another.
			if c.transport.CompareAndSwap(transport, c.newTransport()) {
				transport.CloseIdleConnections()
			}
		})
		defer timeout.Stop()
		r.received, _ = discard(res.Body)
	}
	return r, nil
}
