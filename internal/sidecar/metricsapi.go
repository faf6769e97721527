package sidecar

import (
	"context"
	"io"
	"net/http"
	"path"
	"sync"
	"sync/atomic"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// apiMetrics are what the API's callers do.
type apiMetrics struct {
	http   *family[httpRequest, requestSeries]
	bodies func() (in, out prometheus.Observer)
	grpc   *family[rpc, rpcSeries]
}

// An httpRequest is a request of the HTTP API as labels tell it.
type httpRequest struct {
	method, path string
	status       httpCode
}

type requestSeries struct {
	callSeries
	requests prometheus.Counter
}

func newAPIMetrics(r registry, app string) apiMetrics {
	labels := []string{"app_id", "method", "path", "status"}
	requests := r.counter("dapr_http_server_request_count", "Requests of the HTTP API.", labels...)
	responses := r.counter("dapr_http_server_response_count", "Answers of the HTTP API.", labels...)
	latency := r.latency("dapr_http_server_latency", "Milliseconds that an answer took.", labels...)
	in := r.size("dapr_http_server_request_bytes", "Bytes in bodies of requests of the HTTP API.", "app_id")
	out := r.size("dapr_http_server_response_bytes", "Bytes in bodies of its answers.", "app_id")
	return apiMetrics{
		http: newFamily(func(q httpRequest) requestSeries {
			values := []string{app, q.method, q.path, q.status.String()}
			return requestSeries{
				callSeries{responses.WithLabelValues(values...), latency.WithLabelValues(values...)},
				requests.WithLabelValues(values...),
			}
		}),
		bodies: sync.OnceValues(func() (prometheus.Observer, prometheus.Observer) {
			return in.WithLabelValues(app), out.WithLabelValues(app)
		}),
		grpc: r.rpcs("server", "server_latency", "were made to us")(app),
	}
}

// methodLabel is a method of HTTP that somebody may use in earnest, or "other".
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodOptions,
		http.MethodPatch:
		return method
	default:
		return "other"
	}
}

// pathLabel is the pattern that a path of the API follows, or "other".
func pathLabel(escaped string) string {
	p := path.Clean(escaped)
	switch p {
	case "/v1.0/healthz", "/v1.0/healthz/outbound", "/v1.0/metadata", "/v1.0/shutdown", "/v1/jobs/batch":
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

// count returns a handler that counts what next answers.
func (m *apiMetrics) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		q := httpRequest{method: methodLabel(r.Method), path: pathLabel(r.URL.EscapedPath())}
		body := &countedBody{ReadCloser: r.Body}
		r.Body = body
		answer := &countedAnswer{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, r)
		q.status = httpCodeOf(answer.status)
		s := m.http.of(q)
		s.requests.Inc()
		s.add(time.Since(began))
		in, out := m.bodies()
		in.Observe(float64(body.n))
		out.Observe(float64(answer.n))
	})
}

// A countedBody counts what is read of a request.
type countedBody struct {
	io.ReadCloser
	n int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err
}

// A countedAnswer keeps the status of an answer, and counts what is written.
type countedAnswer struct {
	http.ResponseWriter
	status int
	n      int64
}

func (a *countedAnswer) WriteHeader(code int) {
	a.status = code
	a.ResponseWriter.WriteHeader(code)
}

func (a *countedAnswer) Write(p []byte) (int, error) {
	n, err := a.ResponseWriter.Write(p)
	a.n += int64(n)
	return n, err
}

// Unwrap is for [http.ResponseController].
func (a *countedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// grpcStats counts the calls of our gRPC API. It sees more than interceptors do: methods that are not there.
type grpcStats struct {
	calls   *family[rpc, rpcSeries]
	methods map[string]bool // those that are there
}

// A serverCall is one that is going on. Its numbers are of bytes.
type serverCall struct {
	method         string // as its label
	began          time.Time
	sent, received atomic.Int64
}

type serverCallKey struct{}

const otherMethod = "other"

func (m *apiMetrics) stats() stats.Handler {
	methods := map[string]bool{
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      true,
		"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": true,
	}
	service := runtimev1.Dapr_ServiceDesc
	for _, d := range service.Methods {
		methods["/"+service.ServiceName+"/"+d.MethodName] = true
	}
	for _, d := range service.Streams {
		methods["/"+service.ServiceName+"/"+d.StreamName] = true
	}
	return &grpcStats{calls: m.grpc, methods: methods}
}

// TagRPC implements [stats.Handler].
func (s *grpcStats) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	c := &serverCall{method: otherMethod, began: time.Now()}
	if s.methods[info.FullMethodName] {
		c.method = info.FullMethodName
	}
	return context.WithValue(ctx, serverCallKey{}, c)
}

// HandleRPC implements [stats.Handler].
func (s *grpcStats) HandleRPC(ctx context.Context, event stats.RPCStats) {
	c, ok := ctx.Value(serverCallKey{}).(*serverCall)
	if !ok {
		return
	}
	ended := status.Error(codes.Unimplemented, "")
	switch event := event.(type) {
	case *stats.InPayload:
		c.received.Add(int64(event.Length))
		return
	case *stats.OutPayload:
		c.sent.Add(int64(event.Length))
		return
	case *stats.End:
		if c.method == otherMethod {
			return
		}
		ended = event.Error
	case *stats.OutTrailer:
		if c.method != otherMethod { // a method that is not there has no end but this
			return
		}
	default:
		return
	}
	series := s.calls.of(rpcOf(c.method, ended))
	series.add(time.Since(c.began))
	series.sent.Observe(float64(c.sent.Load()))
	series.received.Observe(float64(c.received.Load()))
}

// TagConn implements [stats.Handler].
func (*grpcStats) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements [stats.Handler].
func (*grpcStats) HandleConn(context.Context, stats.ConnStats) {}

// countCalls returns an interceptor that counts our unary calls.
func countCalls(calls *family[rpc, rpcSeries]) grpc.UnaryClientInterceptor {
	return func(
		ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, next grpc.UnaryInvoker,
		options ...grpc.CallOption,
	) error {
		began := time.Now()
		err := next(ctx, method, req, reply, conn, options...)
		s := calls.of(rpcOf(method, err))
		s.add(time.Since(began))
		s.sent.Observe(messageSize(req))
		received := 0.0
		if err == nil {
			received = messageSize(reply)
		}
		s.received.Observe(received)
		return err
	}
}

func messageSize(m any) float64 {
	message, ok := m.(proto.Message)
	if !ok {
		return 0
	}
	return float64(proto.Size(message))
}
