package apiserver

import (
	"context"
	"sync/atomic"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"carillon/internal/sidecar/daprmetrics"
)

// unknownMethod is the label of methods that do not exist.
const unknownMethod = "other"

// grpcStats measures the calls of the gRPC API. Unlike an interceptor it sees calls of unknown
// methods.
type grpcStats struct {
	calls   daprmetrics.GRPCCalls
	methods map[string]bool // those that exist
}

// A measuredCall is a call in progress.
type measuredCall struct {
	method         string // its label
	start          time.Time
	sent, received atomic.Int64 // bytes
}

type measuredCallKey struct{}

func newGRPCStats(calls daprmetrics.GRPCCalls) *grpcStats {
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
	return &grpcStats{calls: calls, methods: methods}
}

// TagRPC implements [stats.Handler].
func (s *grpcStats) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	c := &measuredCall{method: unknownMethod, start: time.Now()}
	if s.methods[info.FullMethodName] {
		c.method = info.FullMethodName
	}
	return context.WithValue(ctx, measuredCallKey{}, c)
}

// HandleRPC implements [stats.Handler].
func (s *grpcStats) HandleRPC(ctx context.Context, event stats.RPCStats) {
	c, ok := ctx.Value(measuredCallKey{}).(*measuredCall)
	if !ok {
		return
	}
	err := status.Error(codes.Unimplemented, "")
	switch event := event.(type) {
	case *stats.InPayload:
		c.received.Add(int64(event.Length))
		return
	case *stats.OutPayload:
		c.sent.Add(int64(event.Length))
		return
	case *stats.End:
		if c.method == unknownMethod {
			return
		}
		err = event.Error
	case *stats.OutTrailer:
		if c.method != unknownMethod { // a call of an unknown method has no other end
			return
		}
	default:
		return
	}
	series := s.calls(daprmetrics.NewGRPCCall(c.method, err))
	series.Observe(time.Since(c.start))
	series.Sent.Observe(float64(c.sent.Load()))
	series.Received.Observe(float64(c.received.Load()))
}

// TagConn implements [stats.Handler].
func (*grpcStats) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements [stats.Handler].
func (*grpcStats) HandleConn(context.Context, stats.ConnStats) {}
