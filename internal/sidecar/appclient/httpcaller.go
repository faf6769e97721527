package appclient

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// An httpClient sends the requests. It is safe for concurrent use.
type httpClient interface { // http1Client; http2Client
	// post sends a trigger of the job of that name. It waits without limit, until ctx ends.
	post(ctx context.Context, name string, body []byte) (httpResponse, error)
	// close closes the connections to the app.
	close()
}

// An httpResponse is what the caller needs of a response.
type httpResponse struct {
	status   int
	received int64 // bytes of the body
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
	s := c.metrics.http.With(daprmetrics.NewHTTPStatus(status))
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
		return callResult{outcome: job.Handled, answered: true}
	case code == http.StatusNotFound: // a retry would not help: the app does not know the job
		path := "POST /job/" + strings.TrimPrefix(t.Key.Name, "/")
		err = fmt.Errorf("non-retriable error returned from app: status %d", code)
		return callResult{outcome: job.Handled, err: err, answered: true, unknownPath: path}
	default:
		err = fmt.Errorf("unexpected status code returned from app: %d", code)
		return callResult{outcome: job.Failed, err: err, answered: true}
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

func isSuccess(code int) bool { return code >= 200 && code < 300 }

// discard reads a body to its end, so that the connection can be reused, or to 64 KiB. It returns
// how many bytes it read, and whether it reached the end.
func discard(body io.Reader) (n int64, complete bool) {
	n, err := io.CopyN(io.Discard, body, 64<<10)
	return n, errors.Is(err, io.EOF)
}
