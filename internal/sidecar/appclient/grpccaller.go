package appclient

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/job"
	"carillon/internal/sidecar/daprmetrics"
)

// A grpcCaller calls an app over gRPC: OnJobEvent, or OnJobEventAlpha1 if the app has only that.
// It remembers which one as long as the connection lasts.
type grpcCaller struct {
	conn  *grpcConn
	token string
	alpha atomic.Bool // the app at the end of this connection has only OnJobEventAlpha1
}

func newGRPCCaller(app Config, o Options, m Metrics) (*grpcCaller, error) {
	c := &grpcCaller{token: o.Token}
	dial := o.Dial
	o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := dial(ctx, address)
		if err != nil {
			return nil, err
		}
		// The next connection may lead to another version of the app.
		return closeNotifyConn{Conn: conn, onClose: func() { c.alpha.Store(false) }}, nil
	}
	count := grpc.WithUnaryInterceptor(daprmetrics.CountUnary(m.grpc))
	var err error
	if c.conn, err = newGRPCConn(app, o, count); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *grpcCaller) close() { c.conn.close() }

// call implements caller.
func (c *grpcCaller) call(ctx context.Context, t job.Trigger) callResult {
	err := c.sendEvent(ctx, t)
	switch {
	case err == nil:
		return callResult{outcome: job.Handled, counted: true}
	case isLocal(err):
		return callResult{outcome: job.Lost, err: err}
	case status.Code(err) == codes.NotFound: // like 404 over HTTP
		err = fmt.Errorf("non-retriable error returned from app: %w", err)
		path := "OnJobEvent job/" + t.Key.Name
		return callResult{outcome: job.Handled, err: err, counted: true, unknownPath: path}
	default: // also an app that is down: Dapr's metrics do not distinguish the two
		err = fmt.Errorf("unexpected error returned from app: %w", err)
		return callResult{outcome: job.Failed, err: err, counted: true}
	}
}

// sendEvent calls the method that the app had last time, and if it no longer has that, the other.
func (c *grpcCaller) sendEvent(ctx context.Context, t job.Trigger) error {
	req := &runtimev1.JobEventRequest{
		Name:          t.Key.Name,
		Method:        "job/" + t.Key.Name,
		HttpExtension: &commonv1.HTTPExtension{Verb: commonv1.HTTPExtension_POST},
	}
	if t.Data != nil {
		req.Data = &anypb.Any{TypeUrl: t.Data.TypeURL, Value: t.Data.Value}
		req.ContentType = t.Data.TypeURL
	}
	if c.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, tokenHeader, c.token)
	}
	alpha := c.alpha.Load()
	err := c.onJobEvent(ctx, req, alpha)
	if status.Code(err) != codes.Unimplemented {
		return err
	}
	err = c.onJobEvent(ctx, req, !alpha)
	if status.Code(err) != codes.Unimplemented {
		c.alpha.Store(!alpha)
	}
	return err
}

func (c *grpcCaller) onJobEvent(
	ctx context.Context, req *runtimev1.JobEventRequest, alpha bool,
) (err error) {
	if alpha {
		_, err = runtimev1.NewAppCallbackAlphaClient(c.conn).OnJobEventAlpha1(ctx, req) //nolint:staticcheck // older SDKs have only this one
	} else {
		_, err = runtimev1.NewAppCallbackClient(c.conn).OnJobEvent(ctx, req)
	}
	return err
}

// A closeNotifyConn calls onClose when it is closed. The grpc package closes a connection as soon
// as the other side has.
type closeNotifyConn struct {
	net.Conn
	onClose func()
}

func (c closeNotifyConn) Close() error {
	c.onClose()
	return c.Conn.Close()
}
