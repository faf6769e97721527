package management

import (
	"context"
	"log/slog"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"carillon/internal/contain"
)

// authorize returns the error of a call that its caller may not make, or nil.
func (s *Server) authorize(ctx context.Context, method string) error {
	a, ok := ctx.Value(callerKey{}).(admission)
	p, known := permissions()[method]
	switch {
	case !known:
		return withDetails(codes.Unimplemented, "UNKNOWN_METHOD", "unknown method "+method, nil)
	case ok && a.err != nil:
		return a.err
	case !ok || a.caller == nil:
		return errNoToken
	case !a.caller.may(p.verb):
		return denied(p.verb)
	}
	if p.audited {
		s.audit(ctx, p.verb, method)
	}
	return nil
}

// audit writes a line to the audit log: who did what, and from where.
func (s *Server) audit(ctx context.Context, v verb, resource string) {
	a, _ := ctx.Value(callerKey{}).(admission)
	s.log.LogAttrs(ctx, slog.LevelInfo, "audit", slog.String("who", a.caller.name), slog.String("verb", string(v)),
		slog.String("resource", resource), slog.String("from", a.from))
}

// intercept is the interceptor of all calls, over gRPC and JSON.
func (s *Server) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (resp any, err error) {
	select {
	case s.calls <- struct{}{}:
		defer func() { <-s.calls }()
	default:
		return nil, withDetails(codes.ResourceExhausted, "TOO_MANY_CALLS", "too many calls of the management API: try again later", nil)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err = contain.Call(func() (err error) {
		if err := s.authorize(ctx, info.FullMethod); err != nil {
			return err
		}
		if err := checkRules(req.(proto.Message)); err != nil {
			return err
		}
		resp, err = handle(ctx, req)
		return err
	})
	return resp, statusOf(ctx, s.log, info.FullMethod, err)
}
