package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// An app may take as long as it likes before its answer begins, and no longer than this from then on.
const (
	// headPatience is for the status line and header, for a frame of HTTP/2, and for all of an answer over gRPC.
	headPatience = 10 * time.Second
	// bodyPatience is for the body, which says nothing of interest.
	bodyPatience = time.Second
	// writePatience is how long an app over HTTP/2 may read nothing from a connection that is full.
	writePatience = time.Minute
)

// errStalled says that an answer stopped halfway.
var errStalled = fmt.Errorf("the app began its answer and stopped halfway: it has %v from the first byte on", headPatience)

// An httpApp is called over HTTP: POST /job/<name>, with the data as the body. No redirect is followed.
type httpApp struct {
	poster
	metrics appMetrics
	large   sync.Mutex // held while a large body is made
}

// A poster makes the requests. It is safe for concurrent use.
type poster interface { // http1; http2
	// post makes one for the job of that name, however long it takes, unless ctx ends first.
	post(ctx context.Context, name string, body []byte) (appAnswer, error)
	// close ends connections to the app.
	close()
}

// An appAnswer is what we want to know of an answer.
type appAnswer struct {
	status   int
	received int64 // bytes of its body
}

func newHTTPApp(a App, cfg Config, dial Dialer, m appMetrics) *httpApp {
	if a.Protocol == "h2c" {
		return &httpApp{poster: newHTTP2(a, cfg, dial), metrics: m}
	}
	return &httpApp{poster: newHTTP1(a, cfg, dial), metrics: m}
}

func appURL(a App) url.URL {
	if a.Protocol == "https" {
		return url.URL{Scheme: "https", Host: a.Address}
	}
	return url.URL{Scheme: "http", Host: a.Address}
}

// call implements receiver.
func (a *httpApp) call(ctx context.Context, t job.Trigger) verdict {
	body, err := a.body(t.Data)
	if err != nil {
		return verdict{outcome: job.Failed, err: err}
	}
	began := time.Now()
	answer, err := a.post(ctx, strings.TrimPrefix(t.Key.Name, "/"), body)
	if isLocal(err) && ctx.Err() == nil { // it was not called
		return verdict{outcome: job.Lost, err: err}
	}
	status := answer.status
	if err != nil {
		status = http.StatusInternalServerError // in Dapr's metrics
	}
	s := a.metrics.http.of(httpCodeOf(status))
	s.add(time.Since(began))
	s.sent.Observe(float64(len(body)))
	if err == nil {
		a.metrics.received().Observe(float64(answer.received))
	}
	switch code := answer.status; {
	case err != nil:
		err = fmt.Errorf("error returned from app channel while sending triggered job to app: %w", err)
		return verdict{outcome: job.Failed, err: err}
	case succeeded(code):
		return verdict{outcome: job.Handled, answered: true}
	case code == http.StatusNotFound: // the app does not know the job; it will not know it better the next time
		err = fmt.Errorf("non-retriable error returned from app: status %d", code)
		return verdict{outcome: job.Handled, err: err, answered: true, unknown: "POST /job/" + strings.TrimPrefix(t.Key.Name, "/")}
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

// discard reads a body that says nothing of interest, because a connection can be used again only at its end. It returns
// how many bytes came, and whether they were all. It gives up beyond 64 KiB.
func discard(body io.Reader) (n int64, all bool) {
	n, err := io.CopyN(io.Discard, body, 64<<10)
	return n, errors.Is(err, io.EOF)
}
