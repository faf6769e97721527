package sidecar

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
)

// A grpcApp is called over gRPC: OnJobEvent, or OnJobEventAlpha1 where the app has only that. Which one it has is
// remembered as long as the connection lasts.
type grpcApp struct {
	conn  *appConn
	token string
	alpha atomic.Bool // this connection's app answers OnJobEvent with Unimplemented
}

func newGRPCApp(a App, cfg Config, dial Dialer, m appMetrics) (*grpcApp, error) {
	g := &grpcApp{token: cfg.AppToken}
	var err error
	g.conn, err = connectApp(a, cfg,
		func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := dial(ctx, address)
			if err != nil {
				return nil, err
			}
			// It may be another version of the app that we meet the next time.
			return closeConn{Conn: conn, closed: func() { g.alpha.Store(false) }}, nil
		},
		grpc.WithUnaryInterceptor(countCalls(m.grpc)))
	if err != nil {
		return nil, err
	}
	return g, nil
}

func (a *grpcApp) close() { a.conn.close() }

// call implements receiver.
func (a *grpcApp) call(ctx context.Context, t job.Trigger) verdict {
	err := a.callEither(ctx, t)
	switch {
	case err == nil:
		return verdict{outcome: job.Handled, answered: true}
	case isLocal(err):
		return verdict{outcome: job.Lost, err: err}
	case status.Code(err) == codes.NotFound: // as 404 over HTTP
		err = fmt.Errorf("non-retriable error returned from app: %w", err)
		return verdict{outcome: job.Handled, err: err, answered: true, unknown: "OnJobEvent job/" + t.Key.Name}
	default: // an app that is down counts as one that answered; Dapr's metrics do not tell the two apart
		err = fmt.Errorf("unexpected error returned from app: %w", err)
		return verdict{outcome: job.Failed, err: err, answered: true}
	}
}

// callEither asks for the method that the app had the last time, and for the other if it has not got that.
func (a *grpcApp) callEither(ctx context.Context, t job.Trigger) error {
	req := &runtimev1.JobEventRequest{
		Name:          t.Key.Name,
		Method:        "job/" + t.Key.Name,
		HttpExtension: &commonv1.HTTPExtension{Verb: commonv1.HTTPExtension_POST},
	}
	if t.Data != nil {
		req.Data = &anypb.Any{TypeUrl: t.Data.TypeURL, Value: t.Data.Value}
		req.ContentType = t.Data.TypeURL
	}
	if a.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, tokenHeader, a.token)
	}
	alpha := a.alpha.Load()
	err := a.onJobEvent(ctx, req, alpha)
	if status.Code(err) != codes.Unimplemented {
		return err
	}
	err = a.onJobEvent(ctx, req, !alpha)
	if status.Code(err) != codes.Unimplemented {
		a.alpha.Store(!alpha)
	}
	return err
}

func (a *grpcApp) onJobEvent(ctx context.Context, req *runtimev1.JobEventRequest, alpha bool) (err error) {
	if alpha {
		_, err = runtimev1.NewAppCallbackAlphaClient(a.conn).OnJobEventAlpha1(ctx, req) //nolint:staticcheck // older SDKs have only this one
	} else {
		_, err = runtimev1.NewAppCallbackClient(a.conn).OnJobEvent(ctx, req)
	}
	return err
}

// A closeConn tells when it is closed, which the grpc package does as soon as the other side has closed it.
type closeConn struct {
	net.Conn
	closed func()
}

func (c closeConn) Close() error {
	c.closed()
	return c.Conn.Close()
}
