package limits

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// HandshakeTimeout is how long a new connection has to complete the handshakes of TLS and HTTP/2.
const HandshakeTimeout = 10 * time.Second

// Calls are the limits of the calls of a gRPC server.
type Calls struct {
	// MaxConcurrent is how many calls and streams may be open at once, over all connections.
	MaxConcurrent int64
	// Timeout is the deadline of a unary call, from its header to the end of its response. It
	// covers the time in which the client sends the request and receives the response. A client may
	// set an earlier deadline.
	Timeout time.Duration
	// MaxHeaderBytes is how many bytes the header of a call may have.
	MaxHeaderBytes uint32
	// Admit returns an error if a unary call is refused before its message is received; nil admits
	// all calls.
	Admit func(ctx context.Context, method string) error
	// Messages limits the memory of received messages; nil is no limit. Servers may share it.
	Messages *MessageMemory
	// Credentials secure the connections; nil is none. [grpc.Creds] must not replace them.
	Credentials credentials.TransportCredentials
}

// streamWorkers is how many goroutines of a server handle call after call. A new goroutine for each
// call grows its stack each time, which takes a tenth of the cost of an idle call. Calls beyond
// these workers get a goroutine of their own.
const streamWorkers = 256

// A Server is a gRPC server that enforces [Calls] on the services registered with it.
type Server struct {
	*grpc.Server
	limits  Calls
	open    atomic.Int64
	streams map[string]bool // full names of streaming methods; complete before the first call
	conns   openConns
}

// NewServer returns a server that enforces c.
func (c Calls) NewServer(opts ...grpc.ServerOption) *Server {
	s := &Server{limits: c, streams: map[string]bool{}}
	options := []grpc.ServerOption{
		grpc.InTapHandle(s.setDeadline), grpc.ConnectionTimeout(HandshakeTimeout),
		grpc.MaxHeaderListSize(c.MaxHeaderBytes), grpc.NumStreamWorkers(streamWorkers),
		grpc.Creds(newConnCredentials(c.Credentials)),
	}
	if m := c.Messages; m != nil {
		options = append(options, grpc.MaxRecvMsgSize(m.Max), grpc.ForceServerCodecV2(m.Codec),
			grpc.StaticStreamWindowSize(Window), grpc.StaticConnWindowSize(ConnWindow),
			grpc.ChainStreamInterceptor(m.countStream)) // the first: others see what it has received
		if m.Stats != nil {
			options = append(options, grpc.StatsHandler(m.Stats))
		}
	}
	s.Server = grpc.NewServer(append(options, opts...)...)
	return s
}

// maxMethod is how many bytes the name of a method may have. Ours have fewer than a hundred, and
// the error of grpc-go for an unknown method repeats the name.
const maxMethod = 256

// setDeadline gives a unary call its deadline before its message arrives.
func (s *Server) setDeadline(ctx context.Context, info *tap.Info) (context.Context, error) {
	if n := len(info.FullMethodName); n > maxMethod {
		return ctx, status.Errorf(codes.Unimplemented, "unknown method: its name has %d bytes", n)
	}
	if at, ok := ctx.Deadline(); s.streams[info.FullMethodName] || ok && time.Until(at) <= s.limits.Timeout {
		return ctx, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.limits.Timeout)
	_ = cancel // the parent context ends with the call, and this one with its parent
	return ctx, nil
}

// Serve serves l as grpc.Server does. It throttles connections whose calls are refused.
func (s *Server) Serve(l net.Listener) error { return s.Server.Serve(throttledListener{l, &s.conns}) }

// RegisterService registers a service as grpc.Server does. It wraps the handlers, because they
// start before the message of a call arrives, and interceptors start after that.
func (s *Server) RegisterService(desc *grpc.ServiceDesc, impl any) {
	counted := *desc
	counted.Methods, counted.Streams = nil, nil
	for _, m := range desc.Methods {
		handle, method := m.Handler, "/"+desc.ServiceName+"/"+m.MethodName
		m.Handler = func(srv any, ctx context.Context, read func(any) error, chain grpc.UnaryServerInterceptor) (any, error) {
			defer s.leave()
			if err := s.enter(ctx); err != nil {
				return nil, err
			}
			if s.limits.Admit != nil {
				if err := s.limits.Admit(ctx, method); err != nil {
					throttleRefused(ctx, err)
					return nil, err
				}
			}
			if s.limits.Messages != nil {
				m, plain := newMessage(ctx, s.limits.Messages, method, false), read
				defer m.release()
				read = func(v any) error { return m.read(v, plain) }
			}
			resp, err := handle(srv, ctx, read, chain)
			throttleRefused(ctx, err)
			return resp, err
		}
		counted.Methods = append(counted.Methods, m)
	}
	for _, m := range desc.Streams {
		s.streams["/"+desc.ServiceName+"/"+m.StreamName] = true
		handle := m.Handler
		m.Handler = func(srv any, stream grpc.ServerStream) error {
			defer s.leave()
			if err := s.enter(stream.Context()); err != nil {
				return err
			}
			err := handle(srv, stream)
			throttleRefused(stream.Context(), err)
			return err
		}
		counted.Streams = append(counted.Streams, m)
	}
	s.Server.RegisterService(&counted, impl)
}

// enter counts a call, or returns an error if too many are open. The caller calls leave either way.
func (s *Server) enter(ctx context.Context) error {
	if s.open.Add(1) > s.limits.MaxConcurrent {
		Throttle(ctx, 1)
		return status.Errorf(codes.ResourceExhausted,
			"too many concurrent calls: this server takes %d; try again later", s.limits.MaxConcurrent)
	}
	return nil
}

func (s *Server) leave() { s.open.Add(-1) }

// StopWithin stops the server gracefully: it accepts no more calls, and open ones may finish within
// the grace period. Then it closes all connections. It closes connections that have sent nothing at
// once. It waits for handlers only if the server was made with [grpc.WaitForHandlers].
func (s *Server) StopWithin(grace time.Duration) {
	s.conns.closeSilent()
	force := time.AfterFunc(grace, s.conns.closeAll)
	defer force.Stop()
	s.GracefulStop()
}
