package apiserver

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// maxUserAgent is how much of a user agent is logged, in bytes.
const maxUserAgent = 200

// A callLogger logs calls of the API.
type callLogger struct{ log *slog.Logger }

// callAttrs returns the attributes of Dapr's log of calls (sidecar specification §5.6). The code is
// HTTP's number or gRPC's name; the duration is in milliseconds; size is that of the response body.
func callAttrs(
	method string, code slog.Attr, start time.Time, size int64, agent string,
) []slog.Attr {
	return []slog.Attr{
		slog.String("method", method), code,
		slog.Float64("duration", float64(time.Since(start).Microseconds())/1000),
		slog.Int64("size", size),
		slog.String("useragent", agent[:min(len(agent), maxUserAgent)]),
	}
}

// logHTTP logs each request that next handles. It omits the query, which may contain secrets.
func (l callLogger) logHTTP(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		logged := &loggedResponse{ResponseWriter: w, code: http.StatusOK}
		method, agent := r.Method+" "+r.URL.EscapedPath(), r.UserAgent()
		next(logged, r)
		l.log.LogAttrs(r.Context(), slog.LevelInfo, "HTTP API Called",
			callAttrs(method, slog.Int("code", logged.code), start, logged.size, agent)...)
	}
}

// A loggedResponse keeps the status code and the size of a response.
type loggedResponse struct {
	http.ResponseWriter
	code int
	size int64
}

func (r *loggedResponse) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}

func (r *loggedResponse) Write(b []byte) (int, error) {
	n, err := r.ResponseWriter.Write(b)
	r.size += int64(n)
	return n, err
}

// Unwrap is called by [http.ResponseController].
func (r *loggedResponse) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// logUnary is an interceptor that logs each call.
func (l callLogger) logUnary(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler,
) (any, error) {
	start := time.Now()
	res, err := next(ctx, req)
	var size int64
	if m, ok := res.(proto.Message); ok && err == nil {
		size = int64(proto.Size(m))
	}
	l.logGRPC(ctx, info.FullMethod, start, size, err)
	return res, err
}

// logStream is an interceptor that logs each call.
func (l callLogger) logStream(
	srv any, st grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler,
) error {
	start := time.Now()
	err := next(srv, st)
	l.logGRPC(st.Context(), info.FullMethod, start, 0, err)
	return err
}

func (l callLogger) logGRPC(
	ctx context.Context, method string, start time.Time, size int64, err error,
) {
	agent := ""
	if values := metadata.ValueFromIncomingContext(ctx, "user-agent"); len(values) > 0 {
		agent = values[0]
	}
	l.log.LogAttrs(ctx, slog.LevelInfo, "gRPC API Called",
		callAttrs(method, slog.String("code", status.Code(err).String()), start, size, agent)...)
}
