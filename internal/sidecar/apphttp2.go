package sidecar

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/url"
	"time"
)

// http2 calls an app over HTTP/2 in the clear. The transport sends a request again only where not a byte of it was
// written, or where the app's server says that it has not looked at it.
type http2 struct {
	base      url.URL
	token     string
	transport *http.Transport // without a client, so that no redirect is followed
}

func newHTTP2(a App, cfg Config, dial Dialer) *http2 {
	return &http2{base: appURL(a), token: cfg.AppToken, transport: newTransport(a, cfg, dial)}
}

// newTransport returns a transport to the app, whatever URLs say.
func newTransport(a App, cfg Config, dial Dialer) *http.Transport {
	t := &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, a.Address) },
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
func (h *http2) close() { h.transport.CloseIdleConnections() }

// post implements poster.
func (h *http2) post(ctx context.Context, name string, body []byte) (a appAnswer, err error) {
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
	res, err := h.transport.RoundTrip(req)
	if err != nil {
		return a, err
	}
	defer func() { _ = res.Body.Close() }()
	a.status = res.StatusCode
	if res.ContentLength != 0 {
		giveUp := time.AfterFunc(bodyPatience, cancel)
		defer giveUp.Stop()
		a.received, _ = discard(res.Body)
	}
	return a, nil
}
