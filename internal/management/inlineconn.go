package management

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// An inlineConn calls a service of this process, through its interceptor. Contexts keep their
// values. It is a [grpc.ClientConnInterface].
type inlineConn struct {
	service   *grpc.ServiceDesc
	server    any
	intercept grpc.UnaryServerInterceptor
}

// Invoke implements [grpc.ClientConnInterface].
func (c inlineConn) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	for _, m := range c.service.Methods {
		if "/"+c.service.ServiceName+"/"+m.MethodName != method {
			continue
		}
		read := func(to any) error { return copyMessage(to, args) }
		resp, err := m.Handler(c.server, ctx, read, c.intercept)
		if err != nil {
			return err
		}
		return copyMessage(reply, resp)
	}
	return status.Errorf(codes.Unimplemented, "unknown method %s", method)
}

// NewStream implements [grpc.ClientConnInterface]. The service has no streams.
func (inlineConn) NewStream(_ context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Errorf(codes.Unimplemented, "unknown stream %s", method)
}

// copyMessage copies a message.
func copyMessage(to, from any) error {
	t, ok := to.(proto.Message)
	f, ok2 := from.(proto.Message)
	if !ok || !ok2 {
		return errors.New("not a message")
	}
	proto.Merge(t, f)
	return nil
}
