package apiserver

import (
	"io"
	"net/http"
	"path"
	"time"

	"carillon/internal/sidecar/daprmetrics"
)

// count returns a handler that measures what next handles.
func (m *apiMetrics) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		q := httpRequest{method: methodLabel(r.Method), path: pathLabel(r.URL.EscapedPath())}
		body := &countedBody{ReadCloser: r.Body}
		r.Body = body
		response := &countedResponse{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(response, r)
		q.status = daprmetrics.NewHTTPStatus(response.status)
		s := m.http(q)
		s.requests.Inc()
		s.Observe(time.Since(start))
		in, out := m.bodies()
		in.Observe(float64(body.n))
		out.Observe(float64(response.n))
	})
}

// methodLabel returns a common method of HTTP, or "other".
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodOptions,
		http.MethodPatch:
		return method
	default:
		return "other"
	}
}

// pathLabel returns the pattern of a path of the API, or "other".
func pathLabel(escaped string) string {
	p := path.Clean(escaped)
	switch p {
	case "/v1.0/healthz", "/v1.0/healthz/outbound", "/v1.0/metadata", "/v1.0/shutdown", "/v1/jobs/batch",
		"/v1.0/jobs", "/v1.0-alpha1/jobs":
		return p
	}
	switch dir, _ := path.Split(p); dir {
	case "/v1.0/jobs/", "/v1.0-alpha1/jobs/", "/v1.0/job/", "/v1.0-alpha1/job/":
		return dir + "{name}"
	case "/v1.0/metadata/":
		return dir + "{key}"
	default:
		return "other"
	}
}

// A countedBody counts the bytes that are read of a request.
type countedBody struct {
	io.ReadCloser
	n int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err
}

// A countedResponse keeps the status code of a response, and counts its bytes.
type countedResponse struct {
	http.ResponseWriter
	status int
	n      int64
}

func (r *countedResponse) WriteHeader(code int) {
	r.status = code
	r.ResponseWriter.WriteHeader(code)
}

func (r *countedResponse) Write(p []byte) (int, error) {
	n, err := r.ResponseWriter.Write(p)
	r.n += int64(n)
	return n, err
}

// Unwrap is called by [http.ResponseController].
func (r *countedResponse) Unwrap() http.ResponseWriter { return r.ResponseWriter }
