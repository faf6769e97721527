package appclient

import (
	"context"
	"fmt"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/protobuf/types/known/emptypb"

	"carillon/internal/sidecar/daprmetrics"
)

// A grpcProber probes an app over gRPC. An app that lacks the method is unhealthy.
type grpcProber struct {
	conn    *grpcConn
	metrics Metrics
}

func (p *grpcProber) probe(ctx context.Context) error {
	start := time.Now()
	_, err := runtimev1.NewAppCallbackHealthCheckClient(p.conn).HealthCheck(ctx, &emptypb.Empty{})
	if isLocal(err) {
		return err
	}
	p.metrics.grpcProbes(daprmetrics.GRPCCode(err)).Observe(time.Since(start))
	if err != nil {
		return fmt.Errorf("ask the app with %s: %w", runtimev1.AppCallbackHealthCheck_HealthCheck_FullMethodName, err)
	}
	return nil
}

func (p *grpcProber) close() { p.conn.close() }
