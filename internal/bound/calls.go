package bound

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// Handshake is how long a connection has until it is one of gRPC, TLS included.
const Handshake = 10 * time.Second

// Calls are bounds of the calls of a gRPC server.
type Calls struct {
	// Most is how many calls and streams are open at once, over all connections.
	Most int64
	// Lasts is how long a call may take that is no stream, from its header to the end of its answer: a client has
	// that long to send what it asks, and to take the answer. A client may set itself less.
	Lasts time.Duration
	// Streams reports whether a method is a stream, which may last.
	Streams func(method string) bool
	// Header is how many bytes the header of a call may have.
	Header uint32
}

// refusedKey marks the context of a call that came beyond the bound.
type refusedKey struct{}

// refused is how long such a call has to hear of it.
const refused = time.Second

// Options are those of a server that keeps to the bounds. They come before all other interceptors.
func (c Calls) Options() []grpc.ServerOption {
	var open atomic.Int64
	enter := func(ctx context.Context, info *tap.Info) (context.Context, error) {
		context.AfterFunc(ctx, func() { open.Add(-1) }) // with which the call ends
		if open.Add(1) > c.Most {
			// An error here would leave the timer of the call behind, for as long as its client likes.
			return within(context.WithValue(ctx, refusedKey{}, true), refused), nil
		}
		if at, ok := ctx.Deadline(); c.Streams(info.FullMethodName) || ok && time.Until(at) <= c.Lasts {
			return ctx, nil
		}
		return within(ctx, c.Lasts), nil
	}
	check := func(ctx context.Context) error {
		if ctx.Value(refusedKey{}) == nil {
			return nil
		}
		return status.Errorf(codes.ResourceExhausted, "there are as many calls as this server takes, %d: try again when some have ended", c.Most)
	}
	return []grpc.ServerOption{
		grpc.InTapHandle(enter), grpc.ConnectionTimeout(Handshake), grpc.MaxHeaderListSize(c.Header),
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if err := check(ctx); err != nil {
				return nil, err
			}
			return next(ctx, req)
		}),
		grpc.ChainStreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if err := check(s.Context()); err != nil {
				return err
			}
			return next(srv, s)
		}),
	}
}

// within returns ctx with a deadline. Its parent ends with the call, and it with that.
func within(ctx context.Context, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(ctx, d)
	_ = cancel
	return ctx
}
