package apiserver

import (
	"context"
	"strings"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"
)

// GetMetadata describes this sidecar and its default app.
func (a grpcAPI) GetMetadata(
	context.Context, *runtimev1.GetMetadataRequest,
) (*runtimev1.GetMetadataResponse, error) {
	return a.metadata.describe(), nil
}

// SetMetadata adds an entry to the metadata, or replaces one.
func (a grpcAPI) SetMetadata(
	_ context.Context, r *runtimev1.SetMetadataRequest,
) (*emptypb.Empty, error) {
	if err := a.metadata.set(r.GetKey(), r.GetValue()); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

// Shutdown ends the process soon after its response: gracefully, or, if the metadata has
// dapr-force-shutdown: true, at once with exit code 1.
func (a grpcAPI) Shutdown(
	ctx context.Context, _ *runtimev1.ShutdownRequest,
) (*emptypb.Empty, error) {
	forced := metadata.ValueFromIncomingContext(ctx, forceHeader)
	a.shutdowns.request(len(forced) > 0 && strings.EqualFold(forced[0], "true"))
	return &emptypb.Empty{}, nil
}
