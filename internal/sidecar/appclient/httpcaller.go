package appclient

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"carillon/internal/job"
	"carillon/internal/sidecar/daprmetrics"
	"carillon/internal/wire"
)

// An httpCaller calls an app over HTTP: POST /job/<name>, with the data as the body. It follows no
// redirects.
type httpCaller struct {
	httpClient
	metrics Metrics
	large   sync.Mutex // held while a large body is encoded
}

func newHTTPCaller(app Config, o Options, m Metrics) *httpCaller {
	if app.Protocol == "h2c" {
		return &httpCaller{httpClient: newHTTP2Client(app, o), metrics: m}
	}
	return &httpCaller{httpClient: newHTTP1Client(app, o), metrics: m}
}

// call implements caller.
func (c *httpCaller) call(ctx context.Context, t job.Trigger) callResult {
	body, err := c.encode(t.Data)
	if err != nil {
		return callResult{outcome: job.Failed, err: err}
	}
	start := time.Now()
	response, err := c.post(ctx, strings.TrimPrefix(t.Key.Name, "/"), body)
	if isLocal(err) && ctx.Err() == nil { // the app was not called
		return callResult{outcome: job.Lost, err: err}
	}
	status := response.status
	if err != nil {
		status = http.StatusInternalServerError // in Dapr's metrics
	}
	s := c.metrics.http(daprmetrics.NewHTTPStatus(status))
	s.Observe(time.Since(start))
	s.sent.Observe(float64(len(body)))
	if err == nil {
		c.metrics.received().Observe(float64(response.received))
	}
	switch code := response.status; {
	case err != nil:
		err = fmt.Errorf("error returned from app channel while sending triggered job to app: %w", err)
		return callResult{outcome: job.Failed, err: err}
	case isSuccess(code):
		return callResult{outcome: job.Handled, counted: true}
	case code == http.StatusNotFound: // a retry would not help: the app does not know the job
		path := "POST /job/" + strings.TrimPrefix(t.Key.Name, "/")
		err = fmt.Errorf("non-retriable error returned from app: status %d", code)
		return callResult{outcome: job.Handled, err: err, counted: true, unknownPath: path}
	default:
		err = fmt.Errorf("unexpected status code returned from app: %d", code)
		return callResult{outcome: job.Failed, err: err, counted: true}
	}
}

// encode returns the body for data. It encodes large bodies one at a time: JSON takes many times
// its size in memory meanwhile.
func (c *httpCaller) encode(d *job.Data) ([]byte, error) {
	if d != nil && len(d.Value) > 64<<10 {
		c.large.Lock()
		defer c.large.Unlock()
	}
	return wire.AppBody(d)
}
