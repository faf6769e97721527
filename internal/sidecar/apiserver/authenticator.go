package apiserver

import (
	"context"
	"crypto/subtle"
	"log/slog"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"carillon/internal/crossorigin"
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

// An authenticator requires the API token from clients. Without a token it refuses HTTP requests
// that come from web pages.
type authenticator struct {
	token    string // empty if none is required
	browsers *crossorigin.Protection
	refusals *lograte.Line
}

func newAuthenticator(token string, browsers *crossorigin.Protection, log *slog.Logger) *authenticator {
	return &authenticator{
		token: token, browsers: browsers,
		refusals: lograte.NewFew(logBurst, func(ctx context.Context, level slog.Level, attrs ...slog.Attr) {
			log.LogAttrs(ctx, level, "a request without the API token was refused", attrs...)
		}),
	}
}

// isToken reports whether a token is the API token.
func (a *authenticator) isToken(token string) bool {
	return a.token == "" ||
		subtle.ConstantTimeCompare([]byte(token), []byte(a.token)) == 1
}

// refuse returns why an HTTP request is refused, and the status code; an empty reason means that it
// is not.
func (a *authenticator) refuse(r *http.Request) (reason string, code int) {
	switch {
	case !a.isToken(r.Header.Get(tokenHeader)):
		return "invalid api token", http.StatusUnauthorized
	case a.token == "":
		return a.browsers.Refuse(r), http.StatusForbidden
	}
	return "", 0
}

// explainToken adds a header that says what is wrong with the token, and logs the refusal. The body
// of the response is Dapr's.
func (a *authenticator) explainToken(w http.ResponseWriter, r *http.Request) {
	help := wrongToken
	if len(r.Header.Values(tokenHeader)) == 0 {
		help = noToken
	}
	w.Header().Set(warningHeader, formatWarning(help))
	a.refusals.Warn(r.Context(), slog.String("reason", help), slog.String("client", r.RemoteAddr),
		slog.String("method", r.Method), slog.String("path", r.URL.Path))
}

// interceptUnary is an interceptor that requires the API token.
func (a *authenticator) interceptUnary(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler,
) (any, error) {
	ctx, err := a.authenticate(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return next(ctx, req)
}

// interceptStream is an interceptor that requires the API token.
func (a *authenticator) interceptStream(
	srv any, st grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler,
) error {
	if _, err := a.authenticate(st.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(srv, st)
}

// authenticate returns the context of a call that has the API token, without the token.
func (a *authenticator) authenticate(ctx context.Context, method string) (context.Context, error) {
	if a.token == "" {
		return ctx, nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	tokens := md.Get(tokenHeader)
	if len(tokens) == 0 {
		a.logRefusal(ctx, method, noToken)
		return nil, wire.BadToken("missing api token in request metadata", noToken)
	}
	if !a.isToken(tokens[0]) {
		a.logRefusal(ctx, method, wrongToken)
		return nil, wire.BadToken("authentication error: api token mismatch", wrongToken)
	}
	md = md.Copy()
	md.Delete(tokenHeader)
	return metadata.NewIncomingContext(ctx, md), nil
}

// logRefusal logs that a gRPC call was refused for its token.
func (a *authenticator) logRefusal(ctx context.Context, method, reason string) {
	client := ""
	if p, ok := peer.FromContext(ctx); ok {
		client = p.Addr.String()
	}
	a.refusals.Warn(ctx, slog.String("reason", reason), slog.String("client", client),
		slog.String("method", method))
}

// close logs the refusals that were held back.
func (a *authenticator) close(ctx context.Context) { a.refusals.Close(ctx) }
