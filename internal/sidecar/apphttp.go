package sidecar

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// maxConns is how many connections there are to an app. Over HTTP/1.1 each carries one call at a time.
const maxConns = 1024

// An httpApp is called over HTTP: POST /job/<name>, with the data as the body.
//
// It uses the transport without a client, so that no redirect is followed. The transport itself sends a request again
// only where not a byte of it was written, or where an HTTP/2 server says that it has not looked at it; an app never
// sees one trigger twice from here.
type httpApp struct {
	base      url.URL
	token     string
	transport *http.Transport
	metrics   appMetrics
	large     sync.Mutex // held while a large body is made
}

func newHTTPApp(a App, cfg Config, dial Dialer, m appMetrics) *httpApp {
	return &httpApp{base: appURL(a), token: cfg.AppToken, transport: newTransport(a, cfg, dial), metrics: m}
}

func appURL(a App) url.URL {
	if a.Protocol == "https" {
		return url.URL{Scheme: "https", Host: a.Address}
	}
	return url.URL{Scheme: "http", Host: a.Address}
}

// newTransport returns a transport to the app, whatever URLs say.
func newTransport(a App, cfg Config, dial Dialer) *http.Transport {
	t := &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, a.Address) },
		Protocols:              new(http.Protocols),
		MaxConnsPerHost:        maxConns,
		MaxIdleConnsPerHost:    maxConns,
		MaxResponseHeaderBytes: int64(cfg.MaxHeader),
		// Shorter than servers keep idle connections: a call that meets a connection just as the app closes it fails.
		IdleConnTimeout: time.Second,
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

func (a *httpApp) close() { a.transport.CloseIdleConnections() }

// call implements receiver.
func (a *httpApp) call(ctx context.Context, t job.Trigger) verdict {
	body, err := a.body(t.Data)
	if err != nil {
		return verdict{outcome: job.Failed, err: err}
	}
	began := time.Now()
	code, err := a.post(ctx, t.Key.Name, body)
	status := code
	if err != nil {
		status = http.StatusInternalServerError // in Dapr's metrics
	}
	s := a.metrics.http.of(status)
	s.add(time.Since(began))
	s.sent.Observe(float64(len(body)))
	switch {
	case err != nil:
		err = fmt.Errorf("error returned from app channel while sending triggered job to app: %w", err)
		return verdict{outcome: job.Failed, err: err}
	case succeeded(code):
		return verdict{outcome: job.Handled, answered: true}
	case code == http.StatusNotFound: // the app does not know the job; it will not know it better the next time
		err = fmt.Errorf("non-retriable error returned from app: status %d", code)
		return verdict{outcome: job.Handled, err: err, answered: true}
	default:
		err = fmt.Errorf("unexpected status code returned from app: %d", code)
		return verdict{outcome: job.Failed, err: err, answered: true}
	}
}

// body returns what is posted for data. Large ones are made one at a time: JSON takes many times its size meanwhile.
func (a *httpApp) body(d *job.Data) ([]byte, error) {
	if d != nil && len(d.Value) > 64<<10 {
		a.large.Lock()
		defer a.large.Unlock()
	}
	return wire.AppBody(d)
}

func succeeded(code int) bool { return code >= 200 && code < 300 }

// post makes the request, and returns the status of the answer.
func (a *httpApp) post(ctx context.Context, name string, body []byte) (code int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	name = strings.TrimPrefix(name, "/")
	to := a.base
	to.Path, to.RawPath = "/job/"+name, "/job/"+url.PathEscape(name)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	if a.token != "" {
		req.Header.Set(tokenHeader, a.token)
	}
	res, err := a.transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	received := int64(0)
	if res.ContentLength != 0 {
		giveUp := time.AfterFunc(time.Second, cancel)
		defer giveUp.Stop()
		received = discard(res.Body)
	}
	a.metrics.received().Observe(float64(received))
	return res.StatusCode, nil
}

// discard reads a body that says nothing of interest, because a connection can be used again only at its end, and returns
// how many bytes came. It gives up beyond 64 KiB.
func discard(body io.Reader) int64 {
	n, _ := io.CopyN(io.Discard, body, 64<<10)
	return n
}
