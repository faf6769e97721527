package limits

import (
	"context"
	"net"
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
	// Most is how many calls and streams are received or carried out at once, over all connections.
	Most int64
	// Lasts is how long a call may take that is no stream, from its header to the end of its answer: a client has
	// that long to send what it asks, and to take the answer. A client may set itself less.
	Lasts time.Duration
	// Header is how many bytes the header of a call may have.
	Header uint32
	// Messages bounds the memory of what is received; nil is no bound. Several servers may share it.
	Messages *Messages
}

// workers is how many goroutines of a server carry out call after call. One that is new to each call grows its stack in
// each, which takes a tenth of what an idle call costs. Calls beyond those get a goroutine of their own.
const workers = 256

// A Server is one of gRPC that keeps to bounds in what is registered with it.
type Server struct {
	*grpc.Server
	bounds  Calls
	open    atomic.Int64
	streams map[string]bool // methods; complete before the first call
	conns   conns
}

// NewServer returns a server that keeps to c.
func (c Calls) NewServer(opts ...grpc.ServerOption) *Server {
	s := &Server{bounds: c, streams: map[string]bool{}}
	options := []grpc.ServerOption{
		grpc.InTapHandle(s.limit), grpc.ConnectionTimeout(Handshake), grpc.MaxHeaderListSize(c.Header), grpc.NumStreamWorkers(workers),
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

// maxMethod is how many bytes the name of a method may have. Ours have fewer than a hundred. What grpc-go says of a method
// that is not there repeats its name.
const maxMethod = 256

// limit gives a call its time, before its message has come.
func (s *Server) limit(ctx context.Context, info *tap.Info) (context.Context, error) {
	if n := len(info.FullMethodName); n > maxMethod {
		return ctx, status.Errorf(codes.Unimplemented, "unknown method: its name has %d bytes", n)
	}
	if at, ok := ctx.Deadline(); s.streams[info.FullMethodName] || ok && time.Until(at) <= s.bounds.Lasts {
		return ctx, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.bounds.Lasts)
	_ = cancel // the context that it is made from ends with the call, and it with that
	return ctx, nil
}

// Serve serves l as grpc.Server does. A connection whose calls are refused is read more slowly.
func (s *Server) Serve(l net.Listener) error { return s.Server.Serve(slowly{l, &s.conns}) }

// RegisterService registers a service as grpc.Server does. Its calls are counted from before their messages come, which
// no interceptor sees.
func (s *Server) RegisterService(desc *grpc.ServiceDesc, impl any) {
	counted := *desc
	counted.Methods, counted.Streams = nil, nil
	for _, m := range desc.Methods {
		handle := m.Handler
		m.Handler = func(srv any, ctx context.Context, read func(any) error, chain grpc.UnaryServerInterceptor) (any, error) {
			defer s.leave()
			if err := s.enter(ctx); err != nil {
				return nil, err
			}
			if s.bounds.Messages != nil {
				m, plain := s.bounds.Messages.newMessage(ctx, "", false), read
				defer m.release()
				read = func(v any) error { return m.read(v, plain) }
			}
			resp, err := handle(srv, ctx, read, chain)
			mind(ctx, err)
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
			mind(stream.Context(), err)
			return err
		}
		counted.Streams = append(counted.Streams, m)
	}
	s.Server.RegisterService(&counted, impl)
}

func (s *Server) enter(ctx context.Context) error {
	if s.open.Add(1) > s.bounds.Most {
		Slow(ctx, 1)
		return status.Errorf(codes.ResourceExhausted,
			"there are as many calls as this server takes, %d: try again when some have ended", s.bounds.Most)
	}
	return nil
}

func (s *Server) leave() { s.open.Add(-1) }
