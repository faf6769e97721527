package appclient

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"carillon/internal/sidecar/daprmetrics"
)

// An httpProber probes an app over HTTP. A probe carries neither the app's token nor its ID.
type httpProber struct {
	url       string
	transport *http.Transport
	metrics   Metrics
}

func newHTTPProber(app Config, o Options, m Metrics) *httpProber {
	root := app.url()
	return &httpProber{
		url: root.String() + app.Health.Path, transport: newTransport(app, o), metrics: m,
	}
}

func (p *httpProber) probe(ctx context.Context) error {
	start := time.Now()
	code, err := p.get(ctx)
	if isLocal(err) {
		return err
	}
	counted := code
	if err != nil {
		counted = http.StatusInternalServerError // in Dapr's metrics
	}
	p.metrics.httpProbes(daprmetrics.NewHTTPStatus(counted)).Observe(time.Since(start))
	if err != nil {
		return err
	}
	if !isSuccess(code) {
		return fmt.Errorf("the app answered %s with status %d", p.url, code)
	}
	return nil
}

func (p *httpProber) get(ctx context.Context) (code int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, http.NoBody)
	if err != nil {
		return 0, err
	}
	res, err := p.transport.RoundTrip(req)
	if err != nil {
		p.transport.CloseIdleConnections() // over HTTP/2 the next probe would use the same one
		return 0, fmt.Errorf("ask the app at %s: %w", p.url, err)
	}
	defer func() { _ = res.Body.Close() }()
	discard(res.Body)
	return res.StatusCode, nil
}

func (p *httpProber) close() { p.transport.CloseIdleConnections() }
