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
	"time"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// An httpApp is called over HTTP: POST /job/<name>, with the data as the body.
//
// It uses the transport without a client, so that no redirect is followed. The transport itself sends a request again
// only where not a byte of it was written, or where an HTTP/2 server says that it has not looked at it; an app never
// sees one trigger twice from here.
type httpApp struct {
	base      url.URL
	token     string
	transport *http.Transport
	room      room
	failed    *failures
}

func newHTTPApp(a App, cfg Config, dial Dialer, r room, failed *failures) *httpApp {
	t := &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, a.Address) },
		Protocols:              new(http.Protocols),
		MaxConnsPerHost:        1024,
		MaxIdleConnsPerHost:    1024,
		MaxResponseHeaderBytes: int64(cfg.MaxHeader),
		// Shorter than servers keep idle connections: a call that meets a connection just as the app closes it fails.
		IdleConnTimeout: time.Second,
	}
	base := url.URL{Scheme: "http", Host: a.Address}
	switch a.Protocol {
	case "h2c":
		t.Protocols.SetUnencryptedHTTP2(true)
	case "https":
		base.Scheme = "https"
		t.TLSClientConfig = appTLS(a)
		t.Protocols.SetHTTP1(true)
	default:
		t.Protocols.SetHTTP1(true)
	}
	return &httpApp{base: base, token: cfg.AppToken, transport: t, room: r, failed: failed}
}

func (a *httpApp) close() { a.transport.CloseIdleConnections() }

// Trigger implements receiver.
func (a *httpApp) Trigger(ctx context.Context, t job.Trigger) job.Outcome {
	if !a.room.enter(ctx) {
		return job.Lost
	}
	defer a.room.leave()
	code, err := a.post(ctx, t)
	switch {
	case ctx.Err() != nil:
		return job.Lost
	case err != nil:
		a.failed.note(ctx, t, fmt.Errorf("error returned from app channel while sending triggered job to app: %w", err))
		return job.Failed
	case code >= 200 && code < 300:
		return job.Handled
	case code == http.StatusNotFound: // the app does not know the job; it will not know it better the next time
		a.failed.note(ctx, t, fmt.Errorf("non-retriable error returned from app: status %d", code))
		return job.Handled
	default:
		a.failed.note(ctx, t, fmt.Errorf("unexpected status code returned from app: %d", code))
		return job.Failed
	}
}

// post makes the request, and returns the status of the answer.
func (a *httpApp) post(ctx context.Context, t job.Trigger) (code int, err error) {
	body, err := wire.AppBody(t.Data)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	name := strings.TrimPrefix(t.Key.Name, "/")
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
	// What the app says besides the status is of no interest; but a connection can be used again only at its end.
	giveUp := time.AfterFunc(time.Second, cancel)
	defer giveUp.Stop()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10)
	_ = res.Body.Close()
	return res.StatusCode, nil
}
