package sidecar

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

// http2 calls an app over HTTP/2 in the clear. The transport sends a request again only where not a byte of it was
// written, or where the app's server says that it has not looked at it. It is safe for concurrent use.
type http2 struct {
	base         url.URL
	token        string
	newTransport func() *http.Transport
	transport    atomic.Pointer[http.Transport] // without a client, so that no redirect is followed
}

func newHTTP2(a App, cfg Config, dial Dialer) *http2 {
	h := &http2{
		base: appURL(a), token: cfg.AppToken,
		newTransport: func() *http.Transport { return newTransport(a, cfg, dial) },
	}
	h.transport.Store(h.newTransport())
	return h
}

// newTransport returns a transport to the app, whatever URLs say.
func newTransport(a App, cfg Config, dial Dialer) *http.Transport {
	t := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := dial(ctx, a.Address)
			if err == nil && a.Protocol == "h2c" {
				conn = &frameConn{Conn: conn}
			}
			return conn, err
		},
		HTTP2:                  &http.HTTP2Config{WriteByteTimeout: writePatience},
		Protocols:              new(http.Protocols),
		MaxConnsPerHost:        cfg.connsPerApp(),
		MaxIdleConnsPerHost:    cfg.connsPerApp(),
		MaxResponseHeaderBytes: int64(cfg.MaxHeader),
		IdleConnTimeout:        idleTime,
	}
	switch a.Protocol {
	case "h2c":
		t.Protocols.SetUnencryptedHTTP2(true)
	case "https":
		t.TLSClientConfig = appTLS(a)
		t.Protocols.SetHTTP1(true)
	default:
		t.Protocols.SetHTTP1(true)
	}
	return t
}

// close implements poster.
func (h *http2) close() { h.transport.Load().CloseIdleConnections() }

// post implements poster. A call that fails with a connection that had been in use, before its answer begins, is sent
// once more, as in http1.
func (h *http2) post(ctx context.Context, name string, body []byte) (a appAnswer, err error) {
	for again := false; ; again = true {
		var conn *frameConn
		reused := false
		tracing := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
			if conn, _ = got.Conn.(*frameConn); conn != nil {
				reused = conn.answered.Load()
			}
		}})
		a, err = h.postOnce(tracing, name, body)
		switch {
		case err == nil && conn != nil:
			conn.answered.Store(true)
			return a, nil
		case err == nil || again || !reused || !conn.failed.Load() || ctx.Err() != nil:
			return a, err
		}
	}
}

func (h *http2) postOnce(ctx context.Context, name string, body []byte) (a appAnswer, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	to := h.base
	to.Path, to.RawPath = "/job/"+name, "/job/"+url.PathEscape(name)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/json")
	if h.token != "" {
		req.Header.Set(tokenHeader, h.token)
	}
	transport := h.transport.Load()
	res, err := transport.RoundTrip(req)
	if err != nil {
		return a, err
	}
	defer func() { _ = res.Body.Close() }()
	a.status = res.StatusCode
	if res.ContentLength != 0 {
		giveUp := time.AfterFunc(bodyPatience, func() {
			cancel()
			// Nobody knows whether the app says anything more on that connection.
			if h.transport.CompareAndSwap(transport, h.newTransport()) {
				transport.CloseIdleConnections()
			}
		})
		defer giveUp.Stop()
		a.received, _ = discard(res.Body)
	}
	return a, nil
}
