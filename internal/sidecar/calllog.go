package sidecar

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

// maxUserAgent is how much of a client's name a line of the log has, in bytes.
const maxUserAgent = 200

// callAttrs are the attributes that Dapr's log of calls has (sidecar specification §5.6). The code is HTTP's number or
// gRPC's name, the duration in milliseconds, the size that of the answer's body in bytes.
func callAttrs(method string, code slog.Attr, began time.Time, size int64, agent string) []slog.Attr {
	return []slog.Attr{
		slog.String("method", method), code,
		slog.Float64("duration", float64(time.Since(began).Microseconds())/1000),
		slog.Int64("size", size),
		slog.String("useragent", agent[:min(len(agent), maxUserAgent)]),
	}
}

// logHTTP logs a line for each request that next answers. Queries may hold secrets, and are left out.
func (s *Sidecar) logHTTP(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		seen := &seenAnswer{ResponseWriter: w, code: http.StatusOK}
		method, agent := r.Method+" "+r.URL.EscapedPath(), r.UserAgent()
		next(seen, r)
		s.log.LogAttrs(r.Context(), slog.LevelInfo, "HTTP API Called",
			callAttrs(method, slog.Int("code", seen.code), began, seen.size, agent)...)
	}
}

// A seenAnswer remembers what was answered.
type seenAnswer struct {
	http.ResponseWriter
	code int
	size int64
}

func (a *seenAnswer) WriteHeader(code int) {
	a.code = code
	a.ResponseWriter.WriteHeader(code)
}

func (a *seenAnswer) Write(b []byte) (int, error) {
	n, err := a.ResponseWriter.Write(b)
	a.size += int64(n)
	return n, err
}

// Unwrap is for [http.ResponseController].
func (a *seenAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (s *Sidecar) logUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	began := time.Now()
	res, err := next(ctx, req)
	var size int64
	if m, ok := res.(proto.Message); ok && err == nil {
		size = int64(proto.Size(m))
	}
	s.logGRPC(ctx, info.FullMethod, began, size, err)
	return res, err
}

func (s *Sidecar) logStream(srv any, st grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	began := time.Now()
	err := next(srv, st)
	s.logGRPC(st.Context(), info.FullMethod, began, 0, err)
	return err
}

func (s *Sidecar) logGRPC(ctx context.Context, method string, began time.Time, size int64, err error) {
	agent := ""
	if values := metadata.ValueFromIncomingContext(ctx, "user-agent"); len(values) > 0 {
		agent = values[0]
	}
	s.log.LogAttrs(ctx, slog.LevelInfo, "gRPC API Called",
		callAttrs(method, slog.String("code", status.Code(err).String()), began, size, agent)...)
}
