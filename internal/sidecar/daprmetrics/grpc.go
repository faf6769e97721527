package daprmetrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// A GRPCCall is the labels of a call over gRPC. The method is one of a fixed set.
type GRPCCall struct {
	Method string
	Code   codes.Code
}

// NewGRPCCall returns the labels of a call that ended with err.
func NewGRPCCall(method string, err error) GRPCCall { return GRPCCall{method, GRPCCode(err)} }

// A GRPCSeries also measures the bytes of the messages sent and received.
type GRPCSeries struct {
	CallSeries
	Sent, Received prometheus.Observer
}

// GRPCCalls returns the series of a call that one app makes or receives over gRPC.
type GRPCCalls func(GRPCCall) GRPCSeries

// A GRPCVec is the metrics of calls over gRPC of all apps, as seen from one side.
type GRPCVec struct {
	count                   *prometheus.CounterVec
	latency, sent, received *prometheus.HistogramVec
}

// NewGRPCClientVec registers the metrics of calls that this process makes.
func NewGRPCClientVec(r Registry) GRPCVec {
	return newGRPCVec(r, "client", "roundtrip_latency", "we made")
}

// NewGRPCServerVec registers the metrics of calls that this process answers.
func NewGRPCServerVec(r Registry) GRPCVec {
	return newGRPCVec(r, "server", "server_latency", "were made to us")
}

// newGRPCVec registers metrics whose names and labels contain the side.
func newGRPCVec(r Registry, side, latencyName, help string) GRPCVec {
	prefix := "dapr_grpc_io_" + side + "_"
	labels := []string{"app_id", "grpc_" + side + "_method", "grpc_" + side + "_status"}
	return GRPCVec{
		count:    r.Counter(prefix+"completed_rpcs", "Calls over gRPC that "+help+".", labels...),
		latency:  r.Latency(prefix+latencyName, "Milliseconds that they took.", labels...),
		sent:     r.Size(prefix+"sent_bytes_per_rpc", "Bytes that we sent in each.", labels...),
		received: r.Size(prefix+"received_bytes_per_rpc", "Bytes that we received in each.", labels...),
	}
}

// ForApp returns the calls of one app.
func (v GRPCVec) ForApp(app string) GRPCCalls {
	return func(c GRPCCall) GRPCSeries {
		values := []string{app, c.Method, c.Code.String()}
		return GRPCSeries{
			CallSeries{v.count.WithLabelValues(values...), v.latency.WithLabelValues(values...)},
			v.sent.WithLabelValues(values...), v.received.WithLabelValues(values...),
		}
	}
}

// CountUnary returns an interceptor that adds each unary call to calls.
func CountUnary(calls GRPCCalls) grpc.UnaryClientInterceptor {
	return func(
		ctx context.Context, method string, req, reply any, conn *grpc.ClientConn,
		next grpc.UnaryInvoker, options ...grpc.CallOption,
	) error {
		start := time.Now()
		err := next(ctx, method, req, reply, conn, options...)
		s := calls(NewGRPCCall(method, err))
		s.Observe(time.Since(start))
		s.Sent.Observe(messageSize(req))
		received := 0.0
		if err == nil {
			received = messageSize(reply)
		}
		s.Received.Observe(received)
		return err
	}
}

func messageSize(m any) float64 {
	message, ok := m.(proto.Message)
	if !ok {
		return 0
	}
	return float64(proto.Size(message))
}
