package apiserver

import (
	"context"
	"crypto/subtle"
	"log/slog"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"carillon/internal/lograte"
	"carillon/internal/wire"
)

// tokenHeader carries the API token, as an HTTP header or gRPC metadata.
const tokenHeader = "dapr-api-token"

// The two ways in which a token is wrong.
const (
	noToken    = "no token came: send the value of DAPR_API_TOKEN, with which this sidecar was started, in the header " + tokenHeader
	wrongToken = "the token in the header " + tokenHeader + " is not the value of DAPR_API_TOKEN with which this sidecar was started"
)

// isToken reports whether a token is the API token.
func (s *Server) isToken(token string) bool {
	return s.cfg.APIToken == "" ||
		subtle.ConstantTimeCompare([]byte(token), []byte(s.cfg.APIToken)) == 1
}

// refuse returns why an HTTP request is refused, and the status code; an empty reason means that it
// is not.
func (s *Server) refuse(r *http.Request) (reason string, code int) {
	switch {
	case !s.isToken(r.Header.Get(tokenHeader)):
		return "invalid api token", http.StatusUnauthorized
	case s.cfg.APIToken == "":
		return s.browsers.Refuse(r), http.StatusForbidden
	}
	return "", 0
}

// explainToken adds a header that says what is wrong with the token, and logs the refusal. The body
// of the response is Dapr's.
func (s *Server) explainToken(w http.ResponseWriter, r *http.Request) {
	help := wrongToken
	if len(r.Header.Values(tokenHeader)) == 0 {
		help = noToken
	}
	w.Header().Set(warningHeader, formatWarning(help))
	s.refusals.Warn(r.Context(), slog.String("reason", help), slog.String("client", r.RemoteAddr),
		slog.String("method", r.Method), slog.String("path", r.URL.Path))
}

// authenticateUnary is an interceptor that requires the API token.
func (s *Server) authenticateUnary(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler,
) (any, error) {
	ctx, err := s.authenticate(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return next(ctx, req)
}

// authenticateStream is an interceptor that requires the API token.
func (s *Server) authenticateStream(
	srv any, st grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler,
) error {
	if _, err := s.authenticate(st.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(srv, st)
}

// authenticate returns the context of a call that has the API token, without the token.
func (s *Server) authenticate(ctx context.Context, method string) (context.Context, error) {
	if s.cfg.APIToken == "" {
		return ctx, nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	tokens := md.Get(tokenHeader)
	if len(tokens) == 0 {
		s.logRefusal(ctx, method, noToken)
		return nil, wire.BadToken("missing api token in request metadata", noToken)
	}
	if !s.isToken(tokens[0]) {
		s.logRefusal(ctx, method, wrongToken)
		return nil, wire.BadToken("authentication error: api token mismatch", wrongToken)
	}
	md = md.Copy()
	md.Delete(tokenHeader)
	return metadata.NewIncomingContext(ctx, md), nil
}

// logRefusal logs that a gRPC call was refused for its token.
func (s *Server) logRefusal(ctx context.Context, method, reason string) {
	client := ""
	if p, ok := peer.FromContext(ctx); ok {
		client = p.Addr.String()
	}
	s.refusals.Warn(ctx, slog.String("reason", reason), slog.String("client", client),
		slog.String("method", method))
}

func newRefusals(log *slog.Logger) *lograte.Line {
	return lograte.NewFew(logBurst, func(ctx context.Context, level slog.Level, attrs ...slog.Attr) {
		log.LogAttrs(ctx, level, "a request without the API token was refused", attrs...)
	})
}
